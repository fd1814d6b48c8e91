"""Postgres or Kafka goes away in mid-stream and comes back: it is said, and nothing is lost or doubled.

Run with `-rP` to read how long each took.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import msgspec
import pytest

from benchmarks import traffic
from consumers import topics
from consumers.store import migrate, populations
from consumers.store.engine import connect
from detector.population import Population, dump
from gamekeeper import embedded, settings
from tests.conftest import quiet
from tests.consumers.road import PATIENCE, ROOT, Road, free_port, interleaved, until
from tests.consumers.test_detect import assert_exact, crowd, detecting

SAID = 5.0  # seconds until /healthz names what is away
BACK = 5.0  # seconds from its return to the first checkpoint
MEMORY = 64 << 20  # bytes that a process may grow by meanwhile
SHORT = 4.0  # seconds away, in every test run
LONG = 60.0
PARTS = [("postgres",), ("kafka",), ("kafka", "postgres")]

Servers = Mapping[str, embedded.Server]


@pytest.fixture
def servers(data_folder: Path, tmp_path: Path) -> Iterator[Servers]:
    """Return a Kafka and a Postgres that this test may stop."""
    cache = settings.writable_cache(settings.load(), data_folder)
    with contextlib.ExitStack() as stack:
        found = {}
        for part, server in (
            ("kafka", embedded.start_kafka(tmp_path / "kafka", cache, quiet)),
            ("postgres", embedded.start_postgres(tmp_path / "postgres", quiet)),
        ):
            stack.callback(server.stop)
            found[part] = server
        yield found


@pytest.fixture
def lone_road(servers: Servers, plane: Population) -> Iterator[Road]:
    """Return a road on servers of its own, with the population wanted."""
    database = servers["postgres"].url
    migrate.upgrade(database)
    topics.ensure(servers["kafka"].url, 2)
    engine = connect(database)
    [version] = populations.put(engine, dump([plane]), "test")
    populations.use(engine, traffic.MODEL, version, "test")
    yield Road(servers["kafka"].url, database, "", engine)
    engine.dispose()


@contextlib.contextmanager
def writing(road: Road, records: Sequence[tuple[str, bytes]], seconds: float, file: Path) -> Iterator[None]:
    """Write records evenly over so many seconds, whether or not Kafka is there; all are written when it ends."""
    file.write_bytes(b"\n".join(msgspec.json.encode((client, record.decode())) for client, record in records))
    told = [road.kafka, road.topics.predictions, str(seconds), str(file)]
    writer = subprocess.Popen([sys.executable, "-m", "tests.consumers.writer", *told], cwd=ROOT)
    try:
        yield
        assert writer.wait(PATIENCE) == 0
    finally:
        writer.kill()
        writer.wait()


def took(condition: Callable[[], bool], patience: float) -> float:
    """Return the seconds until the condition came true."""
    begun = time.monotonic()
    until(condition, patience)
    return time.monotonic() - begun


def resident(process: int) -> int:
    """Return the bytes that a process holds in memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096


def outage(road: Road, away: Servers, plane: Population, seconds: float, folder: Path) -> None:
    """Stop the servers while records come in; see it said; start them again; find everything exact."""
    streams, port = crowd(honest=12, thieves=4, queries=60 + int(seconds) * 4), free_port()
    records, url = interleaved(streams), f"http://127.0.0.1:{port}/healthz"
    with detecting(road, metrics_port=port) as process, writing(road, records, seconds + 4, folder / "records"):
        until(lambda: road.read() > 0)
        memory, begun = resident(process.pid), time.monotonic()
        for server in away.values():
            server.stop()
        said = took(lambda: all(part in httpx.get(url).json().get("why", "") for part in away), 3 * SAID)
        until(lambda: time.monotonic() > begun + seconds, seconds + 5)
        grown = resident(process.pid) - memory
        for server in away.values():
            server.start()
        held = road.read()
        back = took(lambda: road.read() > held, 10 * BACK)
        until(lambda: road.read() == len(records))
        until(lambda: httpx.get(url).status_code == 200)
        process.send_signal(signal.SIGTERM)
        stopped = took(lambda: process.poll() is not None, PATIENCE)
        assert process.returncode == 0
    sys.stdout.write(f"{' and '.join(away)} away for {seconds:.0f} s: said after {said:.1f} s, first checkpoint "
                     f"{back:.1f} s after the return, memory {grown / 2**20:+.0f} MiB, "
                     f"SIGTERM to exit {stopped:.1f} s\n")  # fmt: skip
    assert_exact(road, streams, plane)
    assert (said <= SAID, back <= BACK, grown <= MEMORY) == (True, True, True)


def test_away_for_seconds(servers: Servers, lone_road: Road, plane: Population, tmp_path: Path) -> None:
    """Both stop in mid-stream and start; each alone is in the long form."""
    outage(lone_road, servers, plane, SHORT, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("parts", PARTS, ids="+".join)
def test_away_for_a_minute(
    servers: Servers, lone_road: Road, plane: Population, parts: Sequence[str], tmp_path: Path
) -> None:
    """Longer than the session and every time limit of the drivers."""
    outage(lone_road, {part: servers[part] for part in parts}, plane, LONG, tmp_path)
