"""What the command line, the decision API and the demo ask."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, text

from consumers.store import schema
from consumers.store.facts import Missing

LINES = 1_000  # of a list, unless asked otherwise


@dataclass(frozen=True, slots=True)
class ClientLine:
    """A client and a model: the view `client_latest`."""

    client: str
    model: str
    tenant: str | None
    standing: str
    since: datetime | None
    score: float
    leakage: float | None
    action: str
    shadow: bool
    episode: int
    queries: int
    at: datetime  # event time of the latest query
    reason: str | None


@dataclass(frozen=True, slots=True)
class EpisodeLine:
    """An episode: a row of `episodes`."""

    client: str
    model: str
    number: int
    id: UUID
    tenant: str | None
    opened: datetime  # event time of leaving clear
    closed: datetime | None  # event time of returning to clear; None: open
    standing: str
    highest: str
    score: float  # the highest
    leakage: float | None
    verdicts: int
    signals: list[str]


@dataclass(frozen=True, slots=True)
class ReadingLine:
    """One reading behind a verdict."""

    signal: str
    kind: str
    value: float | None
    because: str
    examples: list[Any]  # see `consumers.told`; empty for those of a version before


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """A verdict; with its evidence where one client is shown."""

    id: Any
    client: str
    model: str
    serial: int
    at: datetime  # event time of the deciding record
    queries: int
    standing: str
    previous: str
    cause: str
    action: str
    shadow: bool
    score: float
    leakage: float | None
    episode: int
    reason: str
    policy: str  # version
    evidence: tuple[ReadingLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything about one client, newest first."""

    lines: list[ClientLine]
    verdicts: list[VerdictLine]
    decisions: list[Any]  # rows of `decisions`
    acts: list[Any]  # rows of `audit_log`


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over all partitions, and of clients by standing."""

    scored: int
    counted: int
    unreadable: int
    lost: int
    clients: int
    standings: dict[str, int]


_LATEST = text("""
    SELECT client, model, tenant, standing, since, score, leakage, action, shadow, episode, queries, last AS at, reason
    FROM client_latest
    WHERE (CAST(:client AS text) IS NULL OR client = :client)
      AND (CAST(:since AS timestamptz) IS NULL OR last >= :since)
    ORDER BY array_position(ARRAY['confirmed', 'suspected', 'watched', 'clear'], standing), score DESC, client, model
    LIMIT :limit
""")
_KNOWN = text("""
    WITH labels AS (
        SELECT DISTINCT ON (client) client, what FROM feedback
        WHERE model IN (:model, '*') AND what IN ('false-positive', 'true-positive', 'authorised-test')
        ORDER BY client, id DESC)
    SELECT client, what FROM labels
    UNION ALL
    SELECT DISTINCT client, 'left-clear' FROM episodes
    WHERE model = :model AND NOT EXISTS (SELECT FROM labels WHERE labels.client = episodes.client)
""")
_VERDICT = [schema.verdicts.c[name] for name in VerdictLine.__slots__ if name != "evidence"]


def ping(engine: Engine) -> None:
    """Ask the database for a sign of life. Raises SQLAlchemyError when there is none."""
    with engine.connect() as connection:
        connection.execute(select(1))


def clients(engine: Engine, limit: int = LINES, since: datetime | None = None) -> list[ClientLine]:
    """Return clients, the most suspicious first; with `since` those whose latest query (event time) is not older."""
    with engine.connect() as connection:
        return _lines(connection, None, limit, since)


def episodes(
    engine: Engine, client: str | None = None, model: str | None = None, *, only_open: bool = False
) -> list[EpisodeLine]:
    """Return episodes, those that opened last first; only those of a client, of a model, or that are not over."""
    row = schema.episodes.c
    query = select(*(row[name] for name in EpisodeLine.__slots__)).order_by(row.opened.desc(), row.id.desc())
    query = query if client is None else query.where(row.client == client)
    query = query if model is None else query.where(row.model == model)
    query = query.where(row.closed.is_(None)) if only_open else query
    with engine.connect() as connection:
        found = connection.execute(query.limit(LINES))
        return [EpisodeLine(**line._mapping) for line in found]  # noqa: SLF001  # documented


def show(engine: Engine, client: str, limit: int = 50) -> Shown:
    """Return what there is to know of a client. Raises Missing for one that was never seen."""
    verdict, decision, act = schema.verdicts.c, schema.decisions.c, schema.audit_log.c
    with engine.connect() as connection:
        own = select(*_VERDICT).where(verdict.client == client).order_by(verdict.at.desc()).limit(limit)
        reached = _with_evidence(connection, [VerdictLine(**row._mapping) for row in connection.execute(own)])  # noqa: SLF001  # documented
        chosen = (decision.scope == "client_id") & (decision.value == client)
        made = select(schema.decisions).where(chosen).order_by(decision.id.desc()).limit(limit)
        named = act.target.startswith(f"client_id {client} ", autoescape=True)
        acts = select(schema.audit_log).where(named).order_by(act.id.desc()).limit(limit)
        lines = _lines(connection, client, limit)
        shown = Shown(lines, reached, list(connection.execute(made)), list(connection.execute(acts)))
    if not (shown.lines or shown.decisions or shown.verdicts):
        raise Missing(f"client {client!r}: never seen")
    return shown


def verdict(engine: Engine, name: UUID) -> VerdictLine:
    """Return a verdict with its evidence. Raises Missing."""
    with engine.connect() as connection:
        row = connection.execute(select(*_VERDICT).where(schema.verdicts.c.id == name)).one_or_none()
        if row is None:
            raise Missing(f"verdict {name}: there is none")
        [shown] = _with_evidence(connection, [VerdictLine(**row._mapping)])  # noqa: SLF001  # documented
        return shown


def totals(engine: Engine) -> Totals:
    """Return counts over everything."""
    offset, standing = schema.offsets.c, schema.standings.c
    with engine.connect() as connection:
        read = connection.execute(select(*_sums(offset.scored, offset.counted, offset.unreadable, offset.lost))).one()
        seen = connection.execute(select(func.count(func.distinct(schema.snapshots.c.client)))).scalar_one()
        grouped = connection.execute(select(standing.standing, func.count()).group_by(standing.standing))
        scored, counted, unreadable, lost = map(int, read)
        return Totals(scored, counted, unreadable, lost, seen, {row[0]: row[1] for row in grouped})


def verdicts(engine: Engine, model: str) -> list[VerdictLine]:
    """Return a model's verdicts in the order of event time."""
    row = schema.verdicts.c
    own = select(*_VERDICT).where(row.model == model).order_by(row.at, row.client, row.serial)
    with engine.connect() as connection:
        return [VerdictLine(**line._mapping) for line in connection.execute(own)]  # noqa: SLF001  # documented


def standings(engine: Engine, model: str) -> dict[str, str]:
    """Return where each client with a verdict stands with a model."""
    row = schema.standings.c
    with engine.connect() as connection:
        found = connection.execute(select(row.client, row.standing).where(row.model == model))
        return {line.client: line.standing for line in found}


def known(engine: Engine, model: str) -> dict[str, str]:
    """Return what `learn` must know of clients of a model: the latest label, else "left-clear" if they ever did.

    Who is labelled false-positive is ordinary and teaches; the others must not.
    """
    with engine.connect() as connection:
        return {line.client: line.what for line in connection.execute(_KNOWN, {"model": model})}


def counts(engine: Engine, group: str | None = None, topic: str | None = None) -> tuple[int, int, int]:
    """Return how many predictions were scored, counted and unreadable, over the partitions of a group and topic."""
    row = schema.offsets.c
    query = select(*_sums(row.scored, row.counted, row.unreadable))
    query = query if group is None else query.where(row.consumer_group == group)
    query = query if topic is None else query.where(row.topic == topic)
    with engine.connect() as connection:
        scored, counted, unreadable = map(int, connection.execute(query).one())
        return scored, counted, unreadable


def in_force(engine: Engine, model: str) -> dict[int, tuple[str, int]]:
    """Return (version, first offset) of the population that each partition judges a model under."""
    row = schema.in_force.c
    newest = select(row.partition, row.population, row.from_offset).where(row.model == model)
    with engine.connect() as connection:
        found = connection.execute(newest.order_by(row.adopted, row.from_offset))
        return {line.partition: (line.population, line.from_offset) for line in found}  # the newest comes last


def _sums(*columns: Any) -> list[Any]:
    return [func.coalesce(func.sum(column), 0) for column in columns]


def _lines(connection: Connection, client: str | None, limit: int, since: datetime | None = None) -> list[ClientLine]:
    found = connection.execute(_LATEST, {"client": client, "limit": limit, "since": since})
    return [ClientLine(**row._mapping) for row in found]  # noqa: SLF001  # documented


def _with_evidence(connection: Connection, reached: list[VerdictLine]) -> list[VerdictLine]:
    row = schema.evidence.c
    wanted = select(row.verdict, row.signal, row.kind, row.value, row.because, row.examples).where(
        row.verdict.in_([verdict.id for verdict in reached]), row.at.in_({verdict.at for verdict in reached})
    )
    found: dict[Any, list[ReadingLine]] = {verdict.id: [] for verdict in reached}
    for line in connection.execute(wanted.order_by(row.verdict, row.position)):
        found[line.verdict].append(ReadingLine(line.signal, line.kind, line.value, line.because, line.examples or []))
    return [replace(verdict, evidence=tuple(found[verdict.id])) for verdict in reached]
