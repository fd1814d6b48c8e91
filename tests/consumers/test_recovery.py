"""A partition that dies and is claimed again, at any points of its stream: what Postgres holds is as if it had not."""

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from consumers.partition import SNAPSHOT_CHECKPOINTS, Partition, Terms
from consumers.store import checkpoint, populations
from consumers.store.engine import connect
from consumers.store.facts import Channels, Fenced, Place
from detector.policy import Policy
from detector.population import Population, dump
from detector.wire import RawRecord
from tests.conftest import administer, database_name, database_url
from tests.consumers.road import interleaved
from tests.consumers.test_detect import crowd, expected

STREAMS = crowd(honest=3, thieves=2, queries=64)
RECORDS = [record for _, record in interleaved(STREAMS)]
BROKEN = 50  # every so many records one that cannot be read
CLIENTS = len(STREAMS)


@dataclass
class Life:
    """One partition after another of the same place, on one database."""

    engine: Engine
    population: Population
    records: list[RawRecord]
    aside: Executor | None = None
    partition: Partition = field(init=False)
    checkpoints: int = 0
    wholes: int = 0

    def claim(self) -> None:
        """Be the next owner: what the last one had in memory is gone."""
        terms = Terms(self.engine, Policy(), Channels(), lambda _: self.population, aside=self.aside)
        claim = checkpoint.claim(self.engine, Place("group", "predictions", "life-1", 0))
        self.partition = Partition(terms, claim, claim.next or 0)

    def take(self, count: int) -> None:
        """Read the next records."""
        records = self.records[self.partition.next : self.partition.next + count]
        if records:
            self.partition.take(records, None)

    def save(self, keep: int = 1_000, leaving: bool = False) -> None:
        """Write a checkpoint; note whether snapshots went with it."""
        wanted = {self.population.model: self.population.version}
        written = [self.partition.settle(), self.partition.save(wanted, keep, leaving)]
        self.checkpoints += any(one.read for one in written)
        self.wholes += self.partition.saved == self.whole

    @property
    def whole(self) -> int:
        """How far snapshots go, as Postgres has it."""
        return int(self.rows("SELECT coalesce(snapshot_next, 0) FROM offsets")[0][0])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture
def raw() -> list[RawRecord]:
    """Return the stream as the topic holds it, broken records among it."""
    values: list[bytes] = []
    for number, record in enumerate(RECORDS):
        values += [b"{"] * (number % BROKEN == BROKEN - 1) + [record]
    return [RawRecord(value, None, None, place) for place, value in enumerate(values)]


@pytest.fixture
def life(database: str, plane: Population, raw: list[RawRecord]) -> Iterator[Life]:
    """Return a place that was claimed, with the population in force."""
    yield from _living(database, plane, raw)


def _living(database: str, plane: Population, raw: list[RawRecord]) -> Iterator[Life]:
    engine = connect(database)
    populations.put(engine, dump([plane]), "test")
    living = Life(engine, plane, raw)
    living.claim()
    living.save()
    yield living
    engine.dispose()


def assert_exact(life: Life) -> None:
    """Every record is accounted for once; verdicts, serials and snapshots are those of a life without deaths."""
    broken = len(life.records) - len(RECORDS)
    assert life.rows("SELECT scored, counted, unreadable, next FROM offsets") == [
        (len(RECORDS), 0, broken, len(life.records))
    ]
    verdicts = life.rows("SELECT client, queries, standing, serial FROM verdicts")
    assert set(verdicts) == expected(STREAMS, life.population)
    assert len(verdicts) == len(set(verdicts))
    assert life.rows("SELECT count(*) FROM unreadable") == [(broken,)]
    asked = {client: len(records) for client, records in STREAMS.items()}
    assert dict(life.rows("SELECT client, queries FROM snapshots")) == asked


def test_snapshots_go_with_every_fifth_checkpoint(life: Life) -> None:
    """Verdicts and offsets are written each time, snapshots rarely, and at the end by who leaves."""
    before = life.wholes
    while life.partition.next < len(life.records):
        life.take(12)
        life.save()
        assert life.partition.saved == life.partition.next
    rare = life.wholes - before
    assert abs(rare - life.checkpoints / SNAPSHOT_CHECKPOINTS) <= 1
    life.save(leaving=True)
    assert life.whole == life.partition.next
    assert_exact(life)


def test_an_idle_partition_gets_its_snapshots(life: Life) -> None:
    """A stream that ends leaves nobody without a snapshot: people's words are for clients that have one."""
    life.take(20)
    life.save()
    assert life.whole < life.partition.next
    for _ in range(SNAPSHOT_CHECKPOINTS):
        life.save()
    assert life.whole == life.partition.next


def test_nobody_leaves_memory_without_a_snapshot(life: Life) -> None:
    """While there are too many clients, each checkpoint holds snapshots, and then they go."""
    for start in range(0, len(life.records), 25):
        life.take(25)
        crowded = life.partition.detector.size > 2
        life.save(keep=2)
        assert life.partition.detector.size <= 2
        assert life.whole == life.partition.next or not crowded, start
    life.save(leaving=True)
    assert_exact(life)


def test_checkpoints_are_written_while_more_is_read(life: Life) -> None:
    """What nothing waits for is written aside; it counts once it is in Postgres, and later queries do not get lost."""
    go_on = threading.Event()
    with ThreadPoolExecutor(1) as life.aside:
        life.claim()
        for _ in range(SNAPSHOT_CHECKPOINTS - 1):
            life.take(4)
            life.save()
        life.partition.settle()
        life.aside.submit(go_on.wait, 30)  # it has something else to do first
        life.take(4)
        life.save()
        assert life.partition.writing
        assert not life.partition.written
        life.take(10)
        assert (life.partition.saved, life.whole) == (16, 0)
        go_on.set()
        assert life.partition.settle().read == 4
        assert (life.partition.saved, life.whole) == (20, 20)
        life.take(len(life.records))
        life.save(leaving=True)
    assert_exact(life)


def test_who_writes_aside_can_fail(life: Life) -> None:
    """A checkpoint that another owner overtook is found out at the latest before the next one."""
    with ThreadPoolExecutor(1) as life.aside:
        life.claim()
        older = life.partition
        for _ in range(SNAPSHOT_CHECKPOINTS - 1):
            life.take(4)
            life.save()
        older.settle()
        life.claim()
        older.save({life.population.model: life.population.version}, 1_000)
        assert older.writing
        with pytest.raises(Fenced):
            older.settle()
    assert life.whole == 0


STEPS = st.one_of(
    st.integers(1, 90).map(lambda count: ("take", count)),
    st.sampled_from([("save", 1_000), ("save", 2), ("die", 0), ("leave", 0)]),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_deaths_at_any_point(
    data: st.DataObject, postgres: str, migrated_template: str, plane: Population, raw: list[RawRecord]
) -> None:
    """Whatever is read, saved, forgotten and handed over in whatever order, the end is the same.

    Snapshots may be written aside meanwhile, also by an owner that is gone.
    """
    steps, aside = data.draw(st.lists(STEPS, max_size=25)), data.draw(st.booleans())
    name = database_name()
    administer(postgres, f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    with ThreadPoolExecutor(1) as writer:
        for life in _living(database_url(postgres, name), plane, raw):
            life.aside = writer if aside else None
            for what, how in steps:
                _do(life, what, how)
            life.take(len(raw))
            life.save(leaving=True)
            assert_exact(life)
    administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _do(life: Life, what: str, how: int) -> None:
    if what == "take":
        life.take(how)
    elif what == "save":
        life.save(how)
    else:
        if what == "leave":
            life.save(leaving=True)
        life.claim()
