"""What follows from verdicts that are new: standings, decisions under their heads' locks, episodes, alerts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import Insert

from consumers.store import alerts, breaker, heads, owed, proposals, suppressions
from consumers.store.copy import Row, merge, replaced
from consumers.store.facts import FOREVER, Channels, moment
from consumers.store.heads import Draft, Head, Heads, Numbered
from consumers.store.restraint import Cause as Kept
from consumers.store.restraint import Restraint, newly_blocks
from consumers.store.schema import standings
from detector.decision import ANY_MODEL, Action, Key, Origin, Scope
from detector.policy import Policy
from detector.signals import SIGNALS
from detector.standing import Cause
from detector.verdict import Verdict

PLAIN = {signal.name: signal.plain for signal in SIGNALS}


@dataclass(slots=True)
class _Desk:
    """What is on the desk while verdicts are followed."""

    locked: Heads
    listed: set[tuple[str, str, str]]
    now: datetime
    channels: Channels
    restraint: Restraint = field(default_factory=Restraint)
    taken: list[Numbered] = field(default_factory=list)
    proposed: list[tuple[Draft, Kept, int]] = field(default_factory=list)


def follow(connection: Connection, verdicts: Sequence[Verdict], policy: Policy, channels: Channels) -> None:
    """Write what follows from `verdicts`, all new and in the order of each client's serials.

    1. Lock the heads. 2. Look at the allowlist and at what is suppressed, under that lock, and at the episodes. 3. Look
    at the breaker, which counts what would be blocked. 4. Think. 5. Decisions with their deliveries, proposals.
    6. Alerts and episodes. 7. Standings.
    """
    now = alerts.clock(connection)
    acting = [verdict for verdict in verdicts if verdict.action is not Action.ALLOW]
    locked = heads.lock(connection, _keys(verdicts), _keys(acting))
    listed = heads.allowlisted(connection, (key for verdict in verdicts for key in _exempting(verdict)), now)
    answered = suppressions.answered(verdicts, suppressions.in_force(connection, acting, now))
    told: dict[alerts.Name, alerts.Episode] = alerts.read(connection, map(_episode, verdicts))
    desk = _Desk(locked, listed, now, channels)
    desk.restraint = _restraint(connection, [verdict for verdict, _ in answered], desk, policy)
    owing: list[Row] = []
    for verdict, quiet in answered:
        name = _episode(verdict)
        waits = _decide(verdict, desk)
        told[name] = alerts.add(told.get(name), verdict)
        if not quiet:
            told[name], alert = _told(told[name], verdict, desk, waits)
            owing += alert
    heads.write(connection, desk.taken, channels.decisions)
    proposals.put(connection, desk.proposed)
    owed.put_alerts(connection, owing)
    alerts.keep(connection, told.values())
    _stand(connection, verdicts)


def _restraint(connection: Connection, verdicts: Sequence[Verdict], desk: _Desk, policy: Policy) -> Restraint:
    """Return what keeps decisions back, with the breaker as it is once these verdicts are counted."""
    acting = [verdict for verdict in verdicts if verdict.action is not Action.ALLOW]
    models = {verdict.model for verdict in acting if not verdict.shadow}
    locked = dict(desk.locked)
    blocks = set()
    for verdict in acting if not policy.approval.blocks else ():  # who asks a person first blocks nobody by itself
        draft = _wanted(verdict, replace(desk, locked=locked))
        if draft is not None:
            blocks |= {(verdict.model, verdict.client)} if newly_blocks(draft, locked[draft.key], desk.now) else set()
            heads.take(locked, draft)
    return Restraint(breaker.holding(connection, models, blocks, (policy, desk.channels)), policy.approval)


def _wanted(verdict: Verdict, desk: _Desk) -> Draft | None:
    """Return the decision that a verdict calls for, the allowlist heeded."""
    exempt = any((key.scope.value, key.value, key.model) in desk.listed for key in _exempting(verdict))
    return None if exempt else answer(verdict, desk.locked, desk.now)


def _decide(verdict: Verdict, desk: _Desk) -> bool:
    """Take the decision that a verdict calls for, or what may be decided instead. Tells whether a block is proposed."""
    wanted = _wanted(verdict, desk)
    cause = None if wanted is None else desk.restraint.keeps_back(wanted)
    draft = wanted
    if wanted is not None and cause is not None:
        draft = desk.restraint.milder(wanted, cause, desk.locked[wanted.key], desk.now)
    if draft is not None:
        desk.taken.append(heads.take(desk.locked, draft))
    if wanted is None or cause is None or wanted.action is not Action.BLOCK:
        return False
    desk.proposed.append((wanted, cause, desk.locked[wanted.key].serial))
    return True


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


def _told(episode: alerts.Episode, verdict: Verdict, desk: _Desk, waits: bool) -> tuple[alerts.Episode, list[Row]]:
    """Return the alert that the verdict calls for, if any, and the episode that remembers it."""
    kind = alerts.due(episode.alerted, verdict.standing, verdict.cause)
    if kind is None:
        return episode, []
    head = desk.locked.get(_key(verdict))
    binding = head if head is not None and head.holds(desk.now) else None
    told = alerts.Told(
        because=str(verdict.id),
        at=moment(verdict.time),
        reason=verdict.reason,
        plain=_plain(verdict),
        evidence=[reading.because for reading in verdict.evidence],
        action="allow" if binding is None else binding.action.word,
        until=None if binding is None else binding.until,
        shadow=verdict.shadow if binding is None else binding.shadow,
        proposal=str(verdict.id) if waits else None,
    )
    return alerts.tell(episode, kind, told, desk.channels)


def _plain(verdict: Verdict) -> str:
    """Return the strongest evidence in a sentence for everybody."""
    if verdict.cause is Cause.BUDGET:
        return "It has asked enough to have learnt more of the model than its budget allows, whatever it asked."
    return next((PLAIN[reading.signal] for reading in verdict.evidence if reading.signal in PLAIN), "")


def _stand(connection: Connection, verdicts: Iterable[Verdict]) -> None:
    newest = {(verdict.client, verdict.model): verdict for verdict in verdicts}
    rows: list[Row] = [_standing(newest[name]) for name in sorted(newest)]
    merge(connection, standings, rows, _unless_newer)


def _unless_newer(insert: Insert) -> Insert:
    held, fresh = standings.c, replaced(insert)
    newer = held.serial < insert.excluded.serial
    return insert.on_conflict_do_update(index_elements=(held.client, held.model), set_=fresh, where=newer)


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
