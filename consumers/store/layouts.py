"""How many partitions a topic has had, and whom an added one waits for: its clients' past is in the old ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Engine, and_, func, insert, select, update

from consumers.store.facts import Place
from consumers.store.schema import layouts, offsets

_LIFE = ("consumer_group", "topic", "topic_id")


@dataclass(frozen=True, slots=True)
class Layout:
    """The partitions of a topic since some of them were added."""

    partitions: int
    before: int  # partitions of the layout before it; 0: it is the first
    age: timedelta  # since detect saw it first
    ends: tuple[int, ...] | None  # of the partitions before; None: not known yet


def note(engine: Engine, place: Place, partitions: int) -> bool:
    """Keep that the place's topic has so many partitions; tell whether some were added.

    Fewer than before are an old answer, and change nothing.
    """
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"layouts\n{place.group}\n{place.topic}", 0))
    with engine.begin() as connection:
        connection.execute(select(lock))  # two at once must not both take theirs for the first
        most = connection.execute(select(func.max(layouts.c.partitions)).where(_of(place))).scalar_one()
        more = most is None or partitions > most
        if more:
            ends: list[int] | None = [] if most is None else None
            connection.execute(insert(layouts).values(**_life(place), partitions=partitions, ends=ends))
    return more and most is not None


def that_added(engine: Engine, place: Place) -> Layout:
    """Return the layout that brought the place's partition. Call it after `note`."""
    held = layouts.c
    age = (func.now() - held.noticed).label("age")
    with engine.connect() as connection:
        found = list(connection.execute(select(layouts, age).where(_of(place)).order_by(held.partitions)))
    at = next(at for at, row in enumerate(found) if row.partitions > place.partition)
    row, before = found[at], found[at - 1].partitions if at else 0
    return Layout(row.partitions, before, row.age, None if row.ends is None else tuple(row.ends))


def mark(engine: Engine, place: Place, layout: Layout, ends: Mapping[int, int]) -> None:
    """Keep where the partitions before a layout end, unless somebody did so first."""
    row = layouts.c
    chosen = _of(place) & (row.partitions == layout.partitions) & row.ends.is_(None)
    with engine.begin() as connection:
        connection.execute(update(layouts).where(chosen).values(ends=[ends[one] for one in range(layout.before)]))


def behind(engine: Engine, place: Place, ends: tuple[int, ...]) -> list[int]:
    """Return the partitions whose snapshots do not hold everything before their `ends`."""
    row = offsets.c
    chosen = and_(*(row[name] == value for name, value in _life(place).items()), row.partition < len(ends))
    with engine.connect() as connection:
        found = connection.execute(select(row.partition, row.snapshot_next).where(chosen))
        saved = {one.partition: one.snapshot_next or 0 for one in found}
    return [number for number, end in enumerate(ends) if saved.get(number, 0) < end]


def _life(place: Place) -> dict[str, str]:
    return dict(zip(_LIFE, (place.group, place.topic, place.topic_id), strict=True))


def _of(place: Place) -> ColumnElement[bool]:
    return and_(*(layouts.c[name] == value for name, value in _life(place).items()))
