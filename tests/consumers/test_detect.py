"""Detect as a process: every record once, every verdict once, whatever happens to it."""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from benchmarks import traffic
from consumers import kafka as room
from consumers.store import forgetting, people, populations
from consumers.store.checkpoint import claim
from consumers.store.facts import Channels, Place
from consumers.store.people import Said
from detector import wire
from detector.decision import Scope
from detector.detector import Detector
from detector.policy import Policy
from detector.population import Population, dump
from tests.consumers.road import Road, free_port, interleaved, until
from tests.consumers.worker import POISON

STOP_SECONDS = 5.0  # from SIGTERM to exit 0

Streams = Mapping[str, list[bytes]]


def crowd(honest: int = 6, thieves: int = 3, queries: int = 120) -> dict[str, list[bytes]]:
    """Return the records of ordinary clients and of thieves who begin to steal one after the other."""
    streams = {}
    for number in range(honest):
        client = f"honest-{number}"
        streams[client] = list(traffic.records(client, traffic.ordinary(client, queries)))
    for number in range(thieves):
        client = f"thief-{number}"
        before = 16 * (1 + number)
        asked = [traffic.ordinary(client, before), traffic.bisecting(client, queries - before)]
        streams[client] = list(traffic.records(client, np.concatenate(asked)))
    return streams


def expected(streams: Streams, population: Population) -> set[tuple[str, int, str, int]]:
    """Return the verdicts that a detector reaches that never fails: client, queries, standing, serial."""
    detector = Detector(Policy(), {population.model: population})
    records = [record for _, record in interleaved(streams)]
    raw = [wire.RawRecord(record, None, None, place) for place, record in enumerate(records)]
    decoded = wire.decode(raw, {population.model: population.shape})
    reached = [verdict for queries in decoded.queries for verdict in detector.assess(queries)]
    return {(one.client, one.queries, str(one.standing), one.serial) for one in reached}


def stored(road: Road) -> list[tuple[str, int, str, int]]:
    """Return the verdicts that are in Postgres."""
    return [
        (a, int(b), c, int(d)) for a, b, c, d in road.rows("SELECT client, queries, standing, serial FROM verdicts")
    ]


def in_force(road: Road) -> bool:
    """Tell whether the population is in force in all partitions."""
    return bool(road.one("SELECT count(*) FROM in_force") == 2)


@contextmanager
def detecting(road: Road, **told: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run `detect`; inside the block the population is in force, so that an oracle knows from which record on."""
    with road.process("detect", **told) as process:
        until(lambda: in_force(road))
        yield process


def assert_exact(road: Road, streams: Streams, population: Population) -> None:
    """Every record was counted once, and the verdicts are exactly the oracle's, each once."""
    assert road.read() == sum(map(len, streams.values()))
    reached = stored(road)
    assert set(reached) == expected(streams, population)
    assert len(reached) == len(set(reached))
    counted = {client: int(queries) for client, queries in road.rows("SELECT client, queries FROM snapshots")}
    assert counted == {client: len(records) for client, records in streams.items()}


def test_from_record_to_verdict(road: Road, plane: Population) -> None:
    """Records in, verdicts and decisions in Postgres; SIGTERM ends it with 0 in time and it has left the group."""
    streams = crowd()
    records = interleaved(streams)
    with detecting(road) as process:
        written = road.write(records)
        until(lambda: road.read() == written)
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - begun < STOP_SECONDS
    assert_exact(road, streams, plane)
    assert {client for client, *_ in stored(road)} == {"thief-0", "thief-1", "thief-2"}
    assert road.one("SELECT count(*) FROM decisions WHERE action = 'block'") == 3
    assert road.one("SELECT count(*) FROM deliveries") >= 3


@pytest.mark.slow  # the short chaos kills, too
def test_killed_in_mid_stream(road: Road, plane: Population) -> None:
    """Kill -9 at two points of the stream: the next one goes on, nothing is lost and nothing comes twice."""
    streams = crowd()
    records = interleaved(streams)
    thirds = [records[at : at + len(records) // 3] for at in range(0, len(records), len(records) // 3)]
    written = 0
    for part in thirds:
        with detecting(road) as process:
            before = road.read()
            written += road.write(part)
            until(partial(_read_more, road, before))
            process.send_signal(signal.SIGKILL)
    with road.process():
        until(lambda: road.read() == written)
    assert_exact(road, streams, plane)


def test_another_owner_fences(road: Road, plane: Population) -> None:
    """Somebody claims the partitions from under a running process: it drops them, claims again, and stays exact."""
    streams = crowd()
    records = interleaved(streams)
    topic = road.topics.predictions
    found = room.find(road.kafka, topic)
    assert found is not None
    with detecting(road):
        half = len(records) // 2
        written = road.write(records[:half])
        until(lambda: road.read() == written)
        epochs = [claim(road.engine, Place(f"{road.prefix}group", topic, found.id, number)).epoch for number in (0, 1)]
        written += road.write(records[half:])
        until(lambda: road.read() == written)
    assert_exact(road, streams, plane)
    assert sorted(road.rows("SELECT epoch FROM offsets")) > [(epoch,) for epoch in sorted(epochs)]


@pytest.mark.slow  # the short chaos sends to sleep, too
def test_a_sleeper_writes_nothing(road: Road, plane: Population) -> None:
    """A process that sleeps past its session loses its partitions; when it wakes, nothing is written twice."""
    streams = crowd()
    records = interleaved(streams)
    half = len(records) // 2
    with detecting(road) as sleeper:
        written = road.write(records[:half])
        until(lambda: road.read() == written)
        sleeper.send_signal(signal.SIGSTOP)
        with road.process() as other:
            written += road.write(records[half:])
            until(lambda: road.read() == written)
            sleeper.send_signal(signal.SIGCONT)
            sleeper.send_signal(signal.SIGTERM)
            assert sleeper.wait(2 * STOP_SECONDS) == 0  # it first has to find out that its session is over
            other.send_signal(signal.SIGTERM)
            assert other.wait(STOP_SECONDS) == 0
    assert_exact(road, streams, plane)


def test_a_poisonous_query_is_set_aside(road: Road, plane: Population) -> None:
    """The detector fails at one client's queries: they are kept with the error, and everybody else is judged."""
    streams = crowd(honest=2, thieves=1)
    records = interleaved(streams)
    poison = list(traffic.records(POISON, traffic.ordinary(POISON, 2)))
    middle = len(records) // 2
    records[middle:middle] = [(POISON, record) for record in poison]
    with detecting(road, fragile=True, metrics_port=(port := free_port())):
        written = road.write(records)
        until(lambda: road.read() == written)
        told = f"gamekeeper_poisoned_total {len(poison)}.0"
        until(lambda: told in httpx.get(f"http://127.0.0.1:{port}/metrics").text)
    aside = road.rows("SELECT reason, head FROM unreadable")
    assert [(reason, bytes(head)) for reason, head in aside] == [
        ("detector: ZeroDivisionError: a fault of ours", record) for record in poison
    ]
    assert set(stored(road)) == expected(streams, plane)


def test_unreadable_records_are_kept(road: Road) -> None:
    """What cannot be read is kept with its reason and its bytes, counted, and stops nothing."""
    good = list(traffic.records("honest-0", traffic.ordinary("honest-0", 5)))
    with road.process():
        written = road.write([("a", b"not json"), *(("honest-0", record) for record in good), ("b", b'{"v":1}')])
        until(lambda: road.read() == written)
    assert sorted(bytes(head) for _, head in road.rows("SELECT reason, head FROM unreadable")) == [
        b"not json",
        b'{"v":1}',
    ]
    assert road.one("SELECT sum(unreadable) FROM offsets") == 2


def test_a_gap_is_loud(road: Road) -> None:
    """Records that were removed before they were read are a gap in Postgres, with its range; the rest is read."""
    first = list(traffic.records("honest-0", traffic.ordinary("honest-0", 30)))
    with road.process():
        written = road.write(("honest-0", record) for record in first[:10])
        until(lambda: road.read() == written)
    road.write(("honest-0", record) for record in first[10:20])
    [[partition]] = road.rows("SELECT partition FROM offsets WHERE next > 0")
    admin = KafkaAdminClient(bootstrap_servers=road.kafka)
    admin.delete_records({TopicPartition(road.topics.predictions, partition): 17})
    admin.close()
    with road.process():
        road.write(("honest-0", record) for record in first[20:])
        until(lambda: road.read() == 10 + 3 + 10)
    assert road.rows("SELECT first_lost, read_again FROM gaps") == [(10, 17)]


def test_cold_counts_and_a_population_comes_into_force(cold_road: Road, plane: Population) -> None:
    """Without a population queries are counted and nothing is judged; once one is wanted it is in force in seconds."""
    streams = crowd(honest=1, thieves=2)
    with cold_road.process():
        written = cold_road.write(interleaved(streams))
        until(lambda: cold_road.read() == written)
        assert cold_road.one("SELECT sum(counted) FROM offsets") == written
        assert stored(cold_road) == []
        [version] = populations.put(cold_road.engine, dump([plane]), "test")
        populations.use(cold_road.engine, traffic.MODEL, version, "test")
        until(lambda: in_force(cold_road))
        again = {
            client: list(traffic.records(client, traffic.bisecting(client, 32))) for client in ("late-0", "late-1")
        }
        written += cold_road.write(interleaved(again))
        until(lambda: cold_road.read() == written)
    assert {client for client, *_ in stored(cold_road)} == {"late-0", "late-1"}


def test_a_lift_is_heard(road: Road) -> None:
    """A person lifts a blocked client: its standing ends, also when it was not in memory."""
    records = list(traffic.records("thief", traffic.bisecting("thief", 32)))
    with detecting(road):
        road.write(("thief", record) for record in records)
        until(lambda: len(stored(road)) == 1)
    with road.process():
        people.lift(road.engine, Scope.CLIENT, "thief", traffic.MODEL, people.Said("ana", "a test of ours"), Channels())
        until(lambda: len(stored(road)) == 2)
    assert [standing for _, _, standing, _ in sorted(stored(road), key=lambda line: line[3])] == ["confirmed", "clear"]
    assert road.one("SELECT count(*) FROM feedback WHERE heard IS NULL") == 0


def test_health_and_metrics(road: Road) -> None:
    """While it works /healthz says so, and /metrics counts what was read."""
    with road.process(metrics_port=(port := free_port())):
        written = road.write(interleaved(crowd(honest=2, thieves=0, queries=20)))
        until(lambda: road.read() == written)
        until(lambda: httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"})
        assert _metrics(port)["gamekeeper_queries_read_total"] == written


def test_metrics_say_where_time_and_memory_go(road: Road) -> None:
    """Each stage is timed, clients and their memory are counted, and who has read everything does not lag."""
    with road.process(metrics_port=(port := free_port())):
        written = road.write(interleaved(crowd(honest=2, thieves=0, queries=20)))
        until(lambda: road.read() == written)
        until(lambda: _metrics(port)["gamekeeper_clients"] == 2)
        until(lambda: _lags(_metrics(port)) == {0.0})  # it may have looked before the checkpoint
        told = _metrics(port)
    for stage in ("fetch", "decode", "restore", "assess", "pack", "checkpoint"):
        assert told[f'gamekeeper_stage_seconds_count{{stage="{stage}"}}'] > 0, stage
    assert 2 * 1_000 < told["gamekeeper_clients_bytes"] < 100 << 20
    assert _lags(told) == {0.0}


def _lags(told: dict[str, float]) -> set[float]:
    parts = [f'gamekeeper_lag_{unit}{{partition="{number}"}}' for unit in ("records", "seconds") for number in (0, 1)]
    return {told[part] for part in parts}


def _metrics(port: int) -> dict[str, float]:
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def _read_more(road: Road, before: int) -> bool:
    return road.read() > before


@pytest.mark.slow  # forgets between two checkpoints that hold everything; tests of the store fence, too
def test_who_is_forgotten_begins_anew(road: Road, plane: Population) -> None:
    """A running detect drops what it holds of the client, and nothing of the others is lost or comes twice."""
    streams = crowd()
    first = {client: records[:60] for client, records in streams.items()}
    quiet, later = "honest-0", {client: records[60:] for client, records in streams.items()}
    known = "SELECT count(*) FROM snapshots WHERE client = 'honest-0'"
    with detecting(road):
        written = road.write(interleaved(first))
        until(lambda: road.read() == written)
        until(lambda: bool(road.one(known)))
        forgetting.forget(road.engine, quiet, Said("ann", "asked to be erased"), Channels())
        assert road.one(known) == 0
        written += road.write(interleaved(later))
        until(lambda: road.read() == written)
    kept = {client: records for client, records in streams.items() if client != quiet}
    assert set(stored(road)) == expected(kept, plane)
    counted = dict(road.rows("SELECT client, queries FROM snapshots"))
    assert counted == {client: len(records) for client, records in kept.items()} | {quiet: len(later[quiet])}
