"""A database of an earlier release is upgraded, and detect goes on: standings, serials and episodes as before."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, text

from benchmarks import traffic
from consumers import metrics
from consumers.partition import Partition, Terms
from consumers.store import checkpoint, migrate, people, populations
from consumers.store.engine import connect
from consumers.store.facts import Channels, Place, moment
from detector.decision import Scope
from detector.policy import Policy
from detector.population import Population, dump
from detector.wire import RawRecord
from tests.store.given import rows

BEFORE = "0004"  # the schema of that release
# What its detector wrote of a thief who was confirmed, and of one who had just begun: memory 1, where it is 4 today.
SNAPSHOTS = Path(__file__).with_name("golden") / "snapshots.json"
PLACE = Place("group", "predictions", "life", 0)
INSERTS = (
    """
    INSERT INTO snapshots (client, model, topic, partition, standing, serial, episode, queries, expires, score, last,
                           population, policy, data)
    VALUES (:client, :model, 'predictions', 0, :standing, :serial, :episode, :queries, :expires, :score, :last,
            :population, 'before', :data)
    """,
    """
    INSERT INTO verdicts (client, model, serial, at, id, episode, standing, previous, cause, action, seconds, shadow,
                          score, queries, population, policy, reason, topic, partition, record_offset, record_row)
    SELECT client, model, serial, last, gen_random_uuid(), episode, standing, 'clear', 'evidence', 'block', 86400,
           false, score, queries, population, policy, 'bisection', topic, partition, 31, 0
    FROM snapshots WHERE client = :client AND serial > 0
    """,
    """
    INSERT INTO standings (client, model, standing, since, serial, episode, action, shadow, score, queries, population,
                           policy, reason, verdict)
    SELECT client, model, standing, at, serial, episode, action, shadow, score, queries, population, policy, reason, id
    FROM verdicts WHERE client = :client
    """,
    """
    INSERT INTO episodes (client, model, number, id, opened, standing, highest, score, verdicts)
    SELECT client, model, episode, gen_random_uuid(), at, standing, standing, score, 1
    FROM verdicts WHERE client = :client
    """,
)
OFFSETS = """
    INSERT INTO offsets
        (consumer_group, topic, topic_id, partition, epoch, next, snapshot_next, scored, snapshot_scored)
    VALUES ('group', 'predictions', 'life', 0, 3, 58, 58, 58, 58)
"""


def earlier(url: str, population: str) -> Engine:
    """Make the database as that release left it."""
    migrate.upgrade(url, to=BEFORE)
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text(OFFSETS))
        for row in json.loads(SNAPSHOTS.read_text(encoding="utf-8")):
            _put(connection, {**row, "population": population})
    return engine


def _put(connection: Connection, row: dict[str, Any]) -> None:
    times = {name: None if row[name] is None else moment(row[name]) for name in ("expires", "last")}
    for statement in INSERTS:
        connection.execute(text(statement), {**row, **times, "data": base64.b64decode(row["data"])})


def asked(client: str, before: int, count: int, first: int) -> list[RawRecord]:
    """Return what a client who has asked `before` queries bisects on."""
    inputs = np.concatenate([traffic.ordinary(client, before), traffic.bisecting(client, count)])
    records = list(traffic.records(client, inputs))[before:]
    return [RawRecord(record, None, None, place) for place, record in enumerate(records, first)]


def test_an_upgrade_goes_on(empty_database: str, plane: Population) -> None:
    """What another version wrote starts as unknown, counted; everything else is as it was, and numbers go on."""
    engine = earlier(empty_database, plane.version)
    migrate.upgrade(empty_database)
    populations.put(engine, dump([plane]), "test")
    people.lift(engine, Scope.CLIENT, "thief-0", traffic.MODEL, people.Said("ana", "our own tester"), Channels())
    unknown = metrics.UNKNOWN._value.get()  # the library has no other door to it
    claim = checkpoint.claim(engine, PLACE)
    assert (claim.epoch, claim.next, claim.scored) == (4, 58, 58)
    partition = Partition(Terms(engine, Policy(), Channels(), lambda _: plane), claim, 58)
    partition.save({plane.model: plane.version}, 100)
    for records in (asked("thief-0", 48, 64, 58), asked("thief-1", 10, 64, 122)):
        partition.take(records, None)
    partition.save({plane.model: plane.version}, 100)
    reached = "SELECT client, serial, episode, standing, previous FROM verdicts ORDER BY client, serial"
    assert rows(engine, reached) == [
        ("thief-0", 1, 1, "confirmed", "clear"),
        ("thief-0", 2, 1, "clear", "confirmed"),  # the lift
        ("thief-0", 3, 2, "confirmed", "clear"),
        ("thief-1", 1, 1, "watched", "clear"),
        ("thief-1", 2, 1, "confirmed", "watched"),
    ]
    assert metrics.UNKNOWN._value.get() > unknown
    assert rows(engine, "SELECT client, standing, serial, episode FROM standings ORDER BY 1") == [
        ("thief-0", "confirmed", 3, 2),
        ("thief-1", "confirmed", 2, 1),
    ]
    held = "SELECT client, queries FROM snapshots ORDER BY 1"
    partition.save({plane.model: plane.version}, 100, leaving=True)
    assert rows(engine, held) == [("thief-0", 112), ("thief-1", 74)]
    engine.dispose()
