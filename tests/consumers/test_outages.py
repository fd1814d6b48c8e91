"""Postgres or Kafka goes away in the middle and comes back: it is said, and nothing is lost or doubled."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from consumers import topics
from consumers.store import migrate, populations
from consumers.store.engine import connect
from detector.population import Population, dump
from gamekeeper import embedded, settings
from tests.conftest import quiet
from tests.consumers import traffic
from tests.consumers.road import Road, free_port, interleaved, until
from tests.consumers.test_detect import STOP_SECONDS, assert_exact, crowd, detecting


@pytest.fixture
def postgres_alone(tmp_path: Path) -> Iterator[embedded.Server]:
    """Return a Postgres that this test may stop."""
    server = embedded.start_postgres(tmp_path / "postgres", quiet)
    yield server
    server.stop()


@pytest.fixture
def kafka_alone(data_folder: Path, tmp_path: Path) -> Iterator[embedded.Server]:
    """Return a Kafka that this test may stop."""
    cache = settings.writable_cache(settings.load(), data_folder)
    server = embedded.start_kafka(tmp_path / "kafka", cache, quiet)
    yield server
    server.stop()


def road_on(kafka: str, database: str, prefix: str, plane: Population) -> Road:
    """Return a road on servers of its own, with the population wanted."""
    migrate.upgrade(database)
    topics.ensure(kafka, 2, prefix)
    engine = connect(database)
    [version] = populations.put(engine, dump([plane]), "test")
    populations.use(engine, traffic.MODEL, version, "test")
    return Road(kafka, database, prefix, engine)


def outage(road: Road, server: embedded.Server, part: str, plane: Population) -> None:
    """Stop the server in mid-stream; see it said; start it again; find everything exact."""
    streams, port = crowd(), free_port()
    records = interleaved(streams)
    half, url = len(records) // 2, f"http://127.0.0.1:{port}/healthz"
    with detecting(road, metrics_port=port) as process:
        written = road.write(records[:half])
        until(lambda: road.read() == written)
        server.stop()
        until(lambda: part in httpx.get(url).json().get("why", ""))
        server.start()
        written += road.write(records[half:])
        until(lambda: road.read() == written)
        until(lambda: httpx.get(url).status_code == 200)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    assert_exact(road, streams, plane)
    road.engine.dispose()


def test_postgres_away(kafka: str, topics_prefix: str, postgres_alone: embedded.Server, plane: Population) -> None:
    """Postgres stops and starts."""
    road = road_on(kafka, postgres_alone.url, topics_prefix, plane)
    outage(road, postgres_alone, "postgres", plane)


def test_kafka_away(kafka_alone: embedded.Server, database: str, plane: Population) -> None:
    """Kafka stops and starts."""
    outage(road_on(kafka_alone.url, database, "", plane), kafka_alone, "kafka", plane)
