"""Episodes, and what people are told of them: one alert an episode, updated when its standing rises, and resolved."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import Insert

from consumers.alert import Alert, Case, Change, encode, facts, severity
from consumers.filters import Filter
from consumers.store import owed
from consumers.store.among import among, named
from consumers.store.copy import Row, merge, replaced
from consumers.store.facts import Channels, moment
from consumers.store.schema import episodes
from detector.decision import Action
from detector.standing import Cause, Standing
from detector.verdict import Verdict

SENTENCES = 12  # of evidence in an alert, and
LETTERS = 300  # of each: keeps the body far below the 20 kB that Standard Webhooks allows

_NAMESPACE = uuid.UUID("9d5c3f6e-1b7a-5f0c-8a57-3b1f6c2d7e41")  # of episode ids; never changes
_LOUD = ("budget", "suspected", "confirmed")
_ROW = episodes.c
_LOCKED = (
    select(episodes).order_by(_ROW.client.collate("C"), _ROW.model.collate("C"), _ROW.number).with_for_update()
)  # in one order everywhere
_NAMED = _LOCKED.where(among(_ROW.client, _ROW.model, _ROW.number))
_NOW = select(func.now())

Name = tuple[str, str, int]  # client, model, number


@dataclass(frozen=True, slots=True)
class Episode:
    """One row of `episodes`."""

    client: str
    model: str
    number: int
    id: uuid.UUID
    tenant: str | None
    opened: datetime
    closed: datetime | None
    standing: str
    highest: str
    score: float
    leakage: float | None
    verdicts: int
    alerted: str | None
    told: Sequence[str]  # channels that are to hear its end
    plain: str | None
    signals: Sequence[str]  # that spoke in verdicts that act
    policy: str | None

    @property
    def name(self) -> Name:
        """The primary key."""
        return self.client, self.model, self.number


@dataclass(frozen=True, slots=True)
class Told:
    """What an alert says beside its episode."""

    because: str  # what it hangs on, so that it is owed once: a verdict's or a decision's id
    at: datetime
    reason: str
    plain: str = ""  # the evidence for everybody; empty: as told before
    evidence: Sequence[str] = ()
    action: str = "allow"  # in force now
    until: datetime | None = None
    shadow: bool = False
    proposal: str | None = None  # a block waits for a person's word


def episode_id(client: str, model: str, number: int) -> uuid.UUID:
    """Return the id of a client's episode: the same whenever the same records are judged again."""
    return uuid.uuid5(_NAMESPACE, f"{client}\0{model}\0{number}")


def read(connection: Connection, names: Iterable[Name]) -> dict[Name, Episode]:
    """Lock and return the episodes that exist."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    found = connection.execute(_NAMED, named(wanted))
    return {(line.client, line.model, line.number): Episode(**line._mapping) for line in found}  # noqa: SLF001  # documented


def add(episode: Episode | None, verdict: Verdict) -> Episode:
    """Return the episode with one verdict more."""
    number = max(verdict.episode, 1)
    before = episode or Episode(
        client=verdict.client,
        model=verdict.model,
        number=number,
        id=episode_id(verdict.client, verdict.model, number),
        tenant=verdict.tenant,
        opened=moment(verdict.time),
        closed=None,
        standing=Standing.CLEAR.value,
        highest=Standing.CLEAR.value,
        score=0.0,
        leakage=None,
        verdicts=0,
        alerted=None,
        told=(),
        plain=None,
        signals=(),
        policy=None,
    )
    acts = verdict.action is not Action.ALLOW
    return replace(
        before,
        tenant=verdict.tenant or before.tenant,
        closed=moment(verdict.time) if verdict.standing is Standing.CLEAR else None,
        standing=verdict.standing.value,
        highest=max(verdict.standing, Standing(before.highest), key=lambda standing: standing.rank).value,
        score=max(before.score, verdict.score),
        leakage=before.leakage if verdict.leakage is None else verdict.leakage,
        verdicts=before.verdicts + 1,
        signals=sorted({*before.signals, *spoke(verdict)}) if acts else before.signals,
        policy=verdict.policy if acts else before.policy,
    )


def spoke(verdict: Verdict) -> set[str]:
    """Return the signals behind a verdict, each its own kind of evidence; "budget" where that of leakage is."""
    return {"budget"} if verdict.cause is Cause.BUDGET else {reading.signal for reading in verdict.evidence}


def due(alerted: str | None, standing: Standing, cause: Cause) -> str | None:
    """Return which alert a verdict calls for after the latest one: each change is told once."""
    if cause is Cause.BUDGET:
        return None if alerted in _LOUD else "budget"
    if standing.value == alerted:
        return None
    if standing is Standing.CONFIRMED or (standing is Standing.SUSPECTED and alerted != "confirmed"):
        return standing.value
    calm = standing.rank < Standing.SUSPECTED.rank
    return "resolved" if calm and alerted in _LOUD else None


def keep(connection: Connection, changed: Iterable[Episode]) -> None:
    """Write the episodes."""
    rows: list[Row] = [
        {column.name: getattr(episode, column.name) for column in episodes.columns}
        for episode in sorted(changed, key=lambda episode: episode.name)
    ]

    merge(connection, episodes, rows, _replace)


def _replace(new: Insert) -> Insert:
    return new.on_conflict_do_update(index_elements=[_ROW.client, _ROW.model, _ROW.number], set_=replaced(new))


def tell(episode: Episode, kind: str, told: Told, channels: Channels) -> tuple[Episode, list[Row]]:
    """Return the episode as it now is told, and what each channel is owed of the alert `kind`.

    An alert goes to the channels whose filters let it through; the end goes to those that were told before.
    """
    changed = replace(episode, alerted=kind, plain=(told.plain or episode.plain or "")[:LETTERS])
    case = _case(changed, _change(episode.alerted, kind), told)
    if case.change is Change.RESOLVED:
        to = [name for name in channels.alerts if name in episode.told]
        changed = replace(changed, told=())
    else:
        known = facts(case)
        to = [name for name in channels.alerts if channels.filters.get(name, Filter()).passes(known)]
        changed = replace(changed, told=sorted({*episode.told, *to}))
    body = encode(Alert(f"extraction.{kind}", told.at, case)).decode()
    key = msgspec.json.encode([episode.client, episode.model]).decode()
    return changed, owed.alert(key, f"alert:{episode.id}:{kind}:{told.because}", body, to)


def resolve(connection: Connection, ended: dict[uuid.UUID, Told], channels: Channels) -> int:
    """Tell that episodes whose action ended are resolved, unless that was told. Returns of how many."""
    loud = _LOCKED.where(_ROW.id.in_(sorted(ended)), _ROW.alerted.in_(_LOUD))
    found = connection.execute(loud).all()
    over = [Episode(**line._mapping) for line in found]  # noqa: SLF001  # documented
    ends = (tell(one, "resolved", ended[one.id], channels)[1] for one in over)
    owed.put_alerts(connection, [row for rows in ends for row in rows])
    connection.execute(
        update(episodes).where(_ROW.id.in_([one.id for one in over])).values(alerted="resolved", told=[])
    )
    return len(found)


def clock(connection: Connection) -> datetime:
    """Return the database's time at the start of the transaction: one clock for all processes."""
    now: datetime = connection.execute(_NOW).scalar_one()
    return now


def _change(alerted: str | None, kind: str) -> Change:
    if kind == "resolved":
        return Change.RESOLVED
    return Change.UPDATED if alerted in _LOUD else Change.OPENED


def _case(episode: Episode, change: Change, told: Told) -> Case:
    """Return what an alert says. No raw input, no secret."""
    highest = Standing(episode.highest)
    return Case(
        client=episode.client,
        model=episode.model,
        tenant=episode.tenant,
        standing=Standing.CLEAR if change is Change.RESOLVED else Standing(episode.standing),
        highest=highest,
        change=change,
        severity=severity(highest),
        since=episode.opened,
        score=episode.score,
        leakage=episode.leakage,
        plain=episode.plain or "",
        reason=told.reason[:LETTERS],
        evidence=tuple(sentence[:LETTERS] for sentence in told.evidence[:SENTENCES]),
        action=told.action,
        until=told.until,
        shadow=told.shadow,
        proposal=told.proposal,
        episode=str(episode.id),
    )
