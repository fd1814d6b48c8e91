"""What follows from verdicts that are new: standings, decisions under their heads' locks, episodes, alerts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import Insert

from consumers.store import alerts, heads, owed, suppressions
from consumers.store.copy import Row, merge
from consumers.store.facts import FOREVER, Channels, moment
from consumers.store.heads import Draft, Head, Heads, Numbered
from consumers.store.schema import standings
from detector.decision import ANY_MODEL, Action, Key, Origin, Scope
from detector.signals import SIGNALS
from detector.standing import Cause
from detector.verdict import Verdict

PLAIN = {signal.name: signal.plain for signal in SIGNALS}


def follow(connection: Connection, verdicts: Sequence[Verdict], channels: Channels) -> None:
    """Write what follows from `verdicts`, all new and in the order of each client's serials.

    1. Lock the heads. 2. Look at the allowlist and at what is suppressed, under that lock, and at the episodes.
    3. Think. 4. Decisions with their deliveries. 5. Alerts and episodes. 6. Standings.
    """
    now = alerts.clock(connection)
    acting = [verdict for verdict in verdicts if verdict.action is not Action.ALLOW]
    locked = heads.lock(connection, _keys(verdicts), _keys(acting))
    listed = heads.allowlisted(connection, (key for verdict in verdicts for key in _exempting(verdict)), now)
    explained = suppressions.in_force(connection, acting, now)
    told: dict[alerts.Name, alerts.Episode] = alerts.read(connection, map(_episode, verdicts))
    taken: list[Numbered] = []
    owing: list[Row] = []
    for verdict, quiet in suppressions.answered(verdicts, explained):
        name = _episode(verdict)
        exempt = any((key.scope.value, key.value, key.model) in listed for key in _exempting(verdict))
        draft = None if exempt else answer(verdict, locked, now)
        if draft is not None:
            taken.append(heads.take(locked, draft))
        told[name] = alerts.add(told.get(name), verdict)
        if not quiet:
            told[name], alert = _told(told[name], verdict, (locked, now, channels))
            owing += alert
    heads.write(connection, taken, channels.decisions)
    owed.put_alerts(connection, owing)
    alerts.keep(connection, told.values())
    _stand(connection, verdicts)


def answer(verdict: Verdict, locked: Heads, now: datetime) -> Draft | None:
    """Return the decision that a verdict calls for, or None: it is in force already, or a person's word stands."""
    key = _key(verdict)
    mine, every = locked.get(key), locked.get(replace(key, model=ANY_MODEL))
    if _person_allows(every, now) or (mine is not None and _person_stands(mine, verdict.action, now)):
        return None
    until = _until(verdict, now)
    if mine is not None and mine.holds(now):
        if verdict.shadow and not mine.shadow and verdict.action is not Action.ALLOW:
            return None  # what is recorded only must not end what is enforced
        same = (mine.action, mine.shadow) == (verdict.action, verdict.shadow)
        if same and mine.until is not None and until <= mine.until:
            return None
    elif verdict.action is Action.ALLOW:
        return None  # nothing is in force that this would end
    return Draft(
        key=key,
        action=verdict.action,
        until=until,
        origin=Origin.DETECTOR,
        reason=verdict.reason,
        shadow=verdict.shadow,
        verdict=verdict.id,
        episode=alerts.episode_id(*_episode(verdict)),
        judged=moment(verdict.time),
    )


def _person_allows(head: Head | None, now: datetime) -> bool:
    return head is not None and head.origin is Origin.PERSON and head.action is Action.ALLOW and head.holds(now)


def _person_stands(head: Head, action: Action, now: datetime) -> bool:
    """Tell whether a person's decision in force keeps the detector out: it allows, or is as strict."""
    return head.origin is Origin.PERSON and head.holds(now) and (head.action is Action.ALLOW or action <= head.action)


def _until(verdict: Verdict, now: datetime) -> datetime:
    """Reckon from the later of event time and now, so that no decision is born expired; allowing ends at once."""
    if verdict.action is Action.ALLOW:
        return now
    start = max(moment(verdict.time), now)
    return min(start, FOREVER - timedelta(seconds=verdict.seconds)) + timedelta(seconds=verdict.seconds)


def _told(
    episode: alerts.Episode, verdict: Verdict, around: tuple[Heads, datetime, Channels]
) -> tuple[alerts.Episode, list[Row]]:
    """Return the alert that the verdict calls for, if any, and the episode that remembers it."""
    kind = alerts.due(episode.alerted, verdict.standing, verdict.cause)
    if kind is None:
        return episode, []
    locked, now, channels = around
    head = locked.get(_key(verdict))
    binding = head if head is not None and head.holds(now) else None
    told = alerts.Told(
        because=str(verdict.id),
        at=moment(verdict.time),
        reason=verdict.reason,
        plain=_plain(verdict),
        evidence=[reading.because for reading in verdict.evidence],
        action="allow" if binding is None else binding.action.word,
        until=None if binding is None else binding.until,
        shadow=verdict.shadow if binding is None else binding.shadow,
    )
    return alerts.tell(episode, kind, told, channels)


def _plain(verdict: Verdict) -> str:
    """Return the strongest evidence in a sentence for everybody."""
    if verdict.cause is Cause.BUDGET:
        return "It has asked enough to have learnt more of the model than its budget allows, whatever it asked."
    return next((PLAIN[reading.signal] for reading in verdict.evidence if reading.signal in PLAIN), "")


def _stand(connection: Connection, verdicts: Iterable[Verdict]) -> None:
    newest = {(verdict.client, verdict.model): verdict for verdict in verdicts}
    rows: list[Row] = [_standing(newest[name]) for name in sorted(newest)]

    def resolve(statement: Insert) -> Insert:
        fresh = {name: statement.excluded[name] for name in rows[0] if name not in ("client", "model")}
        return statement.on_conflict_do_update(
            index_elements=["client", "model"], set_=fresh, where=standings.c.serial < statement.excluded.serial
        )

    merge(connection, standings, rows, resolve)


def _standing(verdict: Verdict) -> Row:
    return {
        "client": verdict.client,
        "model": verdict.model,
        "tenant": verdict.tenant,
        "standing": verdict.standing.value,
        "since": verdict.time,
        "serial": verdict.serial,
        "episode": verdict.episode,
        "action": verdict.action.word,
        "shadow": verdict.shadow,
        "score": verdict.score,
        "leakage": verdict.leakage,
        "queries": verdict.queries,
        "population": verdict.population,
        "policy": verdict.policy,
        "reason": verdict.reason,
        "verdict": verdict.id,
    }


def _keys(verdicts: Iterable[Verdict]) -> set[Key]:
    """Return the heads to lock: each client's own, and the one of every model, where a person may have spoken."""
    own = {_key(verdict) for verdict in verdicts}
    return own | {replace(key, model=ANY_MODEL) for key in own}


def _exempting(verdict: Verdict) -> list[Key]:
    """Return the keys whose allowlist entry keeps the detector from acting on this verdict."""
    named = [(Scope.CLIENT, verdict.client)]
    if verdict.tenant is not None:
        named.append((Scope.TENANT, verdict.tenant))
    return [Key(scope, value, model) for scope, value in named for model in (verdict.model, ANY_MODEL)]


def _key(verdict: Verdict) -> Key:
    return Key(Scope.CLIENT, verdict.client, verdict.model)


def _episode(verdict: Verdict) -> alerts.Name:
    return verdict.client, verdict.model, max(verdict.episode, 1)
