"""Clients leave memory for their snapshot in Postgres and come back exactly: a cap changes no verdict."""

import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from benchmarks import traffic
from consumers.partition import Partition, Terms
from consumers.store import checkpoint, populations
from consumers.store.engine import connect
from consumers.store.facts import Channels, Place
from detector import wire
from detector.detector import Detector
from detector.policy import Policy
from detector.population import Population, dump
from detector.verdict import Verdict
from detector.wire import RawRecord

POLL = 500  # records
ROUND = 2  # queries that a client asks before all others have their turn
EACH = 4  # queries of an ordinary client
LONG = 48  # of every fiftieth client: a thief among them
THIEF = 50


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """Return an engine on a database of its own."""
    engine = connect(database)
    yield engine
    engine.dispose()


def stream(clients: int) -> Iterator[RawRecord]:
    """Return the clients' records, in turns: nobody asks again before all others did."""
    asked = {f"client-{number}": asks(number) for number in range(clients)}
    place = itertools.count()
    while asked:
        for client in list(asked):
            turn = list(itertools.islice(asked[client], ROUND))
            yield from (RawRecord(record, None, None, next(place)) for record in turn)
            if len(turn) < ROUND:
                del asked[client]


def polls(clients: int) -> Iterator[list[RawRecord]]:
    """Return the stream in batches."""
    records = stream(clients)
    while batch := list(itertools.islice(records, POLL)):
        yield batch


def asks(number: int) -> Iterator[bytes]:
    """Return the records of one client, in order."""
    client = f"client-{number}"
    if number % THIEF == 0:
        return traffic.records(client, traffic.bisecting(client, LONG))
    return traffic.records(client, traffic.ordinary(client, LONG if number % THIEF == 1 else EACH))


def capped(engine: Engine, plane: Population, clients: int, cap: int) -> tuple[list[Verdict], int]:
    """Return the verdicts with at most `cap` clients in memory after each poll, and how often one left."""
    [version] = populations.put(engine, dump([plane]), "test")
    claim = checkpoint.claim(engine, Place("group", "predictions", "life", 0))
    partition = Partition(Terms(engine, Policy(), Channels(), lambda _: plane), claim, 0)
    partition.save({traffic.MODEL: version}, cap)
    reached: list[Verdict] = []
    left = 0
    for records in polls(clients):
        partition.take(records, None)
        held = partition.detector.size
        reached += partition.save({traffic.MODEL: version}, cap).verdicts
        assert partition.detector.size <= cap
        left += held - partition.detector.size
    return reached, left


def uncapped(plane: Population, clients: int) -> list[Verdict]:
    """Return the verdicts of a detector that keeps everybody."""
    detector = Detector(Policy(), {plane.model: plane})
    reached = []
    for records in polls(clients):
        for queries in wire.decode(records, {plane.model: plane.shape}).queries:
            reached += detector.assess(queries)
    return reached


@pytest.mark.parametrize(("clients", "cap"), [(2_000, 100), pytest.param(50_000, 1_000, marks=pytest.mark.slow)])
def test_a_cap_changes_no_verdict(engine: Engine, plane: Population, clients: int, cap: int) -> None:
    """Word for word the same verdicts, while everybody leaves memory and comes back again and again."""
    reached, left = capped(engine, plane, clients, cap)
    assert left > clients
    assert reached == uncapped(plane, clients)
    assert {verdict.client for verdict in reached} >= {f"client-{number}" for number in range(0, clients, THIEF)}
