"""A crash before and after each effect of a checkpoint and of a delivery: in the end all is as without any."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import pytest
from kafka import KafkaConsumer
from kafka.structs import TopicPartition
from sqlalchemy import text

from benchmarks import traffic
from consumers.store import people
from consumers.store.facts import Channels
from detector.decision import Action, Scope
from detector.population import Population
from detector.standing import Standing
from tests.consumers.dying import CHECKPOINT, DEAD, DELIVERY, WHOLE, steps
from tests.consumers.endpoint import listening
from tests.consumers.road import ROOT, Road, interleaved, until
from tests.consumers.test_detect import detecting, expected, stored
from tests.store.given import saved, verdict

QUERIES = 48
SAMPLE = ("consumers.store.answers:follow", "consumers.store.checkpoint:save", "detector.detector:Detector.saved")
Dying = Callable[..., None]


@contextmanager
def dying(road: Road) -> Iterator[Dying]:
    """Give a function that runs a process of ours until it dies at a step."""
    command = [sys.executable, "-m", "tests.consumers.dying"]
    base = {"kafka": road.kafka, "database": road.database, "prefix": road.prefix}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        into, out = process.stdin, process.stdout
        assert into is not None
        assert out is not None

        def die(what: str, step: str, **told: Any) -> None:
            into.write(msgspec.json.encode({"what": what, "step": step, "told": base | told}) + b"\n")
            into.flush()
            assert out.readline() == f"{DEAD}\n".encode(), step

        yield die
        into.close()


def asked(number: int) -> dict[str, list[bytes]]:
    """Return what an ordinary client and a thief ask between two deaths."""
    honest, thief = f"honest-{number}", f"thief-{number}"
    stealing = [traffic.ordinary(thief, 16), traffic.bisecting(thief, QUERIES - 16)]
    return {
        honest: list(traffic.records(honest, traffic.ordinary(honest, QUERIES))),
        thief: list(traffic.records(thief, np.concatenate(stealing))),
    }


@pytest.mark.parametrize(
    ("effects", "told"),
    [
        (SAMPLE, {"clients_max": 1}),
        pytest.param(CHECKPOINT, {}, marks=pytest.mark.slow),
        pytest.param(CHECKPOINT + WHOLE, {"clients_max": 1}, marks=pytest.mark.slow),
    ],
)
def test_a_crash_at_each_step_of_a_checkpoint(
    road: Road, plane: Population, effects: tuple[str, ...], told: dict[str, int]
) -> None:
    """Each process reads what came since the last death, and dies a step later than the one before.

    With memory for hardly anybody every checkpoint holds snapshots; else hardly any does.
    """
    with detecting(road, member="dying"):
        pass  # the population is in force from here on, as the oracle has it
    streams: dict[str, list[bytes]] = {}
    broken = 0
    with dying(road) as die:
        for number, step in enumerate(steps(effects)):
            more = asked(number)
            road.write([*interleaved(more), (f"broken-{number}", b"{")])
            streams |= more
            broken += 1
            die("detect", step, member="dying", **told)
    written = sum(map(len, streams.values())) + broken
    with road.process(member="dying"):
        until(lambda: road.read() == written)
    reached = stored(road)
    assert set(reached) == expected(streams, plane)
    assert len(reached) == len(set(reached))
    assert road.one("SELECT sum(unreadable) FROM offsets") == road.one("SELECT count(*) FROM unreadable") == broken
    counted = {client: int(queries) for client, queries in road.rows("SELECT client, queries FROM snapshots")}
    assert counted == dict.fromkeys(streams, QUERIES)
    blocked = {client for client, _, standing, _ in reached if standing == "confirmed"}
    assert {value for (value,) in road.rows("SELECT value FROM decision_heads WHERE action = 'block'")} == blocked


@pytest.mark.parametrize("effects", [DELIVERY[:2], pytest.param(DELIVERY, marks=pytest.mark.slow)])
def test_a_crash_at_each_step_of_a_delivery(cold_road: Road, effects: tuple[str, ...]) -> None:
    """Decisions reach the topic in order and alerts their endpoint, each under one id, whenever the sender dies."""
    road, owed = cold_road, Channels(("topic",), ("webhook:hook0",))
    with listening(200) as hook, dying(road) as die:
        for number, step in enumerate(steps(effects)):
            people.decide(road.engine, _order(number), owed)
            saved(road.engine, verdict(Standing.SUSPECTED, client=f"thief-{number}"), channels=owed)
            die("deliver", step, hooks=[hook.url])
            with road.engine.begin() as connection:
                connection.execute(text("UPDATE deliveries SET leased = now() WHERE leased IS NOT NULL"))  # time passes
        with road.process("deliver", hooks=[hook.url]):
            until(lambda: road.one("SELECT count(*) FROM deliveries WHERE outcome IS NULL") == 0)
    ids = {headers["webhook-id"]: body for _, headers, body in hook.received}
    assert len(ids) == len(set(ids.values())) == len(steps(effects))
    serials = [value["serial"] for value in decided(road) if value["value"] == "thief"]
    assert list(dict.fromkeys(serials)) == list(range(1, len(steps(effects)) + 1))


def decided(road: Road) -> list[Any]:
    """Return everything on the topic of decisions."""
    consumer = KafkaConsumer(bootstrap_servers=road.kafka, group_id=None, auto_offset_reset="earliest")
    place = TopicPartition(road.topics.decisions, 0)
    consumer.assign([place])
    [end] = consumer.end_offsets([place]).values()
    values: list[Any] = []
    while consumer.position(place) < end:
        values += [json.loads(record.value) for record in consumer.poll(500).get(place, [])]
    consumer.close()
    return values


def _order(number: int) -> people.Order:
    action = Action.BLOCK if number % 2 else Action.THROTTLE
    return people.Order(Scope.CLIENT, "thief", "*", action, 3600, "a test of ours", "ana")
