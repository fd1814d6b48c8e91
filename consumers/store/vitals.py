"""What tells whether the installation works: how far it has read, what it has learnt, who reports. Reads only."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, Float, cast, func, select

from consumers.store.facts import Place
from consumers.store.schema import deliveries, offsets, populations, snapshots
from consumers.store.schema import gateways as reports


@dataclass(frozen=True, slots=True)
class Read:
    """How far a partition is accounted for."""

    next: int
    seconds: float  # since the latest checkpoint
    lost: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """A model, and the population that is wanted for it; None where there is none."""

    model: str
    version: str | None
    known: int | None  # ordinary clients with enough queries to count
    cold: bool
    days: float | None  # since the latest query it was learnt from


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a gateway last said of itself; times are in seconds."""

    name: str
    silent: float  # since then
    ahead: float  # its clock before Postgres', less what the report was on its way
    table_age: float | None
    decisions: int
    dropped: int


def read_so_far(engine: Engine, place: Place) -> dict[int, Read]:
    """Return how far each partition of the place's topic was read that ever was, by number."""
    row = offsets.c
    life = (row.consumer_group == place.group) & (row.topic == place.topic) & (row.topic_id == place.topic_id)
    query = select(row.partition, row.next, _since(row.saved).label("seconds"), row.lost).where(life)
    with engine.connect() as connection:
        found = connection.execute(query.where(row.next.is_not(None)))
        return {one.partition: Read(one.next, one.seconds or 0.0, one.lost) for one in found}


def learnt(engine: Engine) -> list[Learnt]:
    """Return each model that was asked or learnt of, by name."""
    row, asked = populations.c, select(snapshots.c.model)
    models = asked.union(select(row.model).where(row.wanted)).subquery()
    wanted = (row.model == models.c.model) & row.wanted
    days = (_since(row.until) / 86_400.0).label("days")
    query = select(models.c.model, row.version, row.known, row.cold, days).outerjoin_from(models, populations, wanted)
    with engine.connect() as connection:
        found = connection.execute(query.order_by(models.c.model))
        return [Learnt(one.model, one.version, one.known, bool(one.cold), one.days) for one in found]


def gateways(engine: Engine) -> list[Gateway]:
    """Return every gateway that ever reported, by name."""
    row = reports.c
    ahead = cast(func.extract("epoch", row.reported - row.heard), Float).label("ahead")
    query = select(reports, _since(row.heard).label("silent"), ahead).order_by(row.name)
    with engine.connect() as connection:
        return [
            Gateway(one.name, one.silent, one.ahead, one.table_age_seconds, one.decisions, one.dropped)
            for one in connection.execute(query)
        ]


def longest_wait(engine: Engine) -> float:
    """Return for how many seconds the oldest delivery that was never tried is due; 0 where there is none."""
    row = deliveries.c
    query = select(_since(func.min(row.due))).where(row.outcome.is_(None), row.attempts == 0)
    with engine.connect() as connection:
        return max(connection.execute(query).scalar_one() or 0.0, 0.0)


def clock(engine: Engine) -> float:
    """Return Postgres' time, in seconds since 1970 UTC."""
    with engine.connect() as connection:
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def _since(time: object) -> ColumnElement[float]:
    return cast(func.extract("epoch", func.now() - time), Float)
