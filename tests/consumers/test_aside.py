"""Checkpoints written while more is read: one that Postgres holds up holds up nothing but what comes after it."""

from sqlalchemy import text

from benchmarks import traffic
from tests.consumers.road import Road, until
from tests.consumers.test_detect import detecting
from tests.consumers.test_growth import home

PARTITIONS = 2  # of a road
BEFORE_LOCK_TIMEOUT = 8.0  # s: after ten Postgres gives up, and the partition is dropped
STANDING = """
    INSERT INTO standings
        (client, model, standing, since, serial, episode, action, shadow, score, queries, population, policy, reason,
         verdict)
    VALUES (:client, 'plane', 'clear', now(), 0, 1, 'allow', false, 0, 0, '', '', '', gen_random_uuid())
"""
WATCHED = "SELECT count(*) FROM verdicts WHERE standing = 'watched'"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%detect%' AND wait_event_type = 'Lock'"


def test_a_checkpoint_that_is_held_up_holds_up_no_other_partition(road: Road) -> None:
    """While one partition's offset is locked, another one's verdicts come; the first one's follow, once."""
    with detecting(road):
        with road.engine.begin() as holding:
            holding.execute(text("SELECT FROM offsets WHERE partition = 0 FOR UPDATE"))
            _ask(road, 0, "honest", 8)
            until(lambda: road.one(WAITING) > 0)
            _steal(road, 0)
            _steal(road, 1)
            until(lambda: _judged(road, 1), BEFORE_LOCK_TIMEOUT)
            assert not _judged(road, 0)
        until(lambda: _judged(road, 0))
    assert road.one("SELECT count(*) - count(DISTINCT (client, serial)) FROM verdicts") == 0


def test_a_verdict_that_nobody_waits_for_holds_up_no_other_partition(road: Road) -> None:
    """That a client is watched changes nothing at a gateway: such a verdict is written at once, but not waited for."""
    with detecting(road):
        with road.engine.connect() as holding:  # at whose end this is undone
            holding.execute(text(STANDING), {"client": _name("keen", 0)})
            _ask(road, 0, "keen", 2_000)  # uses its budget of leakage up
            until(lambda: road.one(WAITING) > 0)
            _steal(road, 1)
            until(lambda: _judged(road, 1), BEFORE_LOCK_TIMEOUT)
            assert road.one(WATCHED) == 0
        until(lambda: road.one(WATCHED) == 1)


def _ask(road: Road, partition: int, kind: str, queries: int) -> None:
    name = _name(kind, partition)
    road.write((name, record) for record in traffic.records(name, traffic.ordinary(name, queries)))


def _steal(road: Road, partition: int) -> None:
    name = _name("thief", partition)
    road.write((name, record) for record in traffic.records(name, traffic.bisecting(name, 64)))


def _judged(road: Road, partition: int) -> bool:
    return (_name("thief", partition),) in road.rows("SELECT client FROM verdicts")


def _name(kind: str, partition: int) -> str:
    """Return a client's name whose records go to a partition."""
    names = (f"{kind}-{number}" for number in range(1_000))
    return next(name for name in names if home(name, PARTITIONS) == partition)
