"""What else befalls the road: Postgres refuses to write, a topic is made anew, records are gone, clocks jump."""

import itertools
import signal

import httpx
import msgspec
import numpy as np
import pytest
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition
from sqlalchemy import text

from benchmarks import traffic
from consumers import kafka as room
from consumers import topics
from detector.population import Population
from detector.times import format_time
from tests.consumers.conftest import PARTITIONS
from tests.consumers.road import Road, free_port, interleaved, until
from tests.consumers.test_detect import Streams, assert_exact, crowd, detecting, expected, stored

HOUR = 3_600_000_000  # µs

# A disk that is full cannot be had in a test without one of its own: Postgres is made to say so at the same place.
FULL = (
    """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
    """,
    "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON snapshots EXECUTE FUNCTION full_disk()",
)
ROOM = ("DROP TRIGGER full_disk ON snapshots",)
_EVERY_DATABASE = (
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {}', current_database()); END $$"
)
READ_ONLY = (
    _EVERY_DATABASE.format("on"),
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gamekeeper detect'",
)
WRITABLE = ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", _EVERY_DATABASE.format("off"), READ_ONLY[1])
REFUSALS = {"DiskFull": (FULL, ROOM), "ReadOnlySqlTransaction": (READ_ONLY, WRITABLE)}


def do(road: Road, statements: tuple[str, ...]) -> None:
    """Run statements as whoever runs the database."""
    with road.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            connection.execute(text(statement))
    road.engine.dispose()


@pytest.mark.parametrize("refusal", REFUSALS)
def test_postgres_refuses_to_write(road: Road, plane: Population, refusal: str) -> None:
    """While the disk is full or the database is read-only it says so; afterwards it is as if it had not been."""
    streams, port = crowd(honest=3, thieves=2), free_port()
    records, (begin, end) = interleaved(streams), REFUSALS[refusal]
    url = f"http://127.0.0.1:{port}/healthz"
    with detecting(road, metrics_port=port):
        written = road.write(records[:100])
        until(lambda: road.read() == written)
        do(road, begin)
        written += road.write(records[100:])
        until(lambda: refusal in httpx.get(url).json().get("why", ""), 10)
        do(road, end)
        until(lambda: road.read() == written)
        until(lambda: httpx.get(url).status_code == 200)
    assert_exact(road, streams, plane)


def test_a_topic_made_anew(road: Road, plane: Population) -> None:
    """The topic is deleted and made again: its offsets begin anew, the clients' past stays."""
    streams, port = crowd(honest=3, thieves=3), free_port()
    records, url = interleaved(streams), f"http://127.0.0.1:{port}/healthz"
    name = road.topics.predictions
    with detecting(road, metrics_port=port):
        written = road.write(records[:200])
        until(lambda: road.read() == written)
        admin = KafkaAdminClient(bootstrap_servers=road.kafka)
        admin.delete_topics([name])
        admin.close()
        until(lambda: f"no topic {name}" in httpx.get(url).json().get("why", ""))
        until(lambda: room.find(road.kafka, name) is None)
        topics.ensure(road.kafka, PARTITIONS, road.prefix)
        written += road.write(records[200:])
        until(lambda: road.read() == written)
        until(lambda: httpx.get(url).status_code == 200)
    assert_exact(road, streams, plane)
    assert road.one("SELECT count(DISTINCT topic_id) FROM offsets") == 2


def test_a_topic_made_anew_at_once(road: Road, plane: Population) -> None:
    """The same within a moment, and the new life soon reaches further than the old one was read."""
    streams = crowd(honest=3, thieves=3)
    records = interleaved(streams)
    with detecting(road):
        written = road.write(records[:20])
        until(lambda: road.read() == written)
        admin = KafkaAdminClient(bootstrap_servers=road.kafka)
        admin.delete_topics([road.topics.predictions])
        admin.close()
        until(lambda: room.find(road.kafka, road.topics.predictions) is None)
        topics.ensure(road.kafka, PARTITIONS, road.prefix)
        written += road.write(records[20:])
        until(lambda: road.read() >= written)
    assert_exact(road, streams, plane)
    assert road.read() == written
    assert road.one("SELECT count(DISTINCT topic_id) FROM offsets") == 2


def test_a_gap_while_reading(road: Road) -> None:
    """Retention overtakes a process that stands still: the gap has its range in Postgres, and it goes on behind it."""
    records = [("honest-0", record) for record in traffic.records("honest-0", traffic.ordinary("honest-0", 30))]
    with road.process() as process:
        road.write(records[:10])
        until(lambda: road.read() == 10)
        process.send_signal(signal.SIGSTOP)
        road.write(records[10:], linger_ms=1_000)  # all at once: a fetch under way has none of them or all
        [[partition]] = road.rows("SELECT partition FROM offsets WHERE next > 0")
        admin = KafkaAdminClient(bootstrap_servers=road.kafka)
        admin.delete_records({TopicPartition(road.topics.predictions, partition): 17})
        admin.close()
        process.send_signal(signal.SIGCONT)
        until(lambda: road.read() >= 10 + 13)
    gaps = road.rows("SELECT first_lost, read_again FROM gaps")
    assert (road.read(), gaps) in [
        (10 + 13, [(10, 17)]),
        (30, []),
    ]  # what was fetched before it stood still is not lost


def test_another_shape(road: Road, plane: Population) -> None:
    """Records of another shape than the population's are unreadable, kept with the reason; the others are judged."""
    streams = crowd(honest=2, thieves=2)
    records = interleaved(streams)
    other = [(client, reshaped(record)) for client, record in records[::40]]
    mixed = [one for pair in itertools.zip_longest(records, other) for one in pair if one is not None]
    with detecting(road):
        written = road.write(mixed)
        until(lambda: road.read() == written)
    assert set(stored(road)) == expected(streams, plane)
    reasons = [reason for (reason,) in road.rows("SELECT reason FROM unreadable")]
    assert len(reasons) == len(other)
    assert all("shape" in reason for reason in reasons)


def test_clocks_that_jump(road: Road, plane: Population) -> None:
    """Event times that run back, stand still or leap ahead by hours: verdicts are those of the same records in order.

    What is more than a day ahead of the broker's clock is unreadable.
    """
    chance = np.random.default_rng(3)
    streams: Streams = {
        client: [moved(record, int(chance.integers(-30, 1) * HOUR)) for record in records]
        for client, records in crowd(honest=3, thieves=3).items()
    }
    ahead = [(client, moved(records[0], 100_000 * HOUR)) for client, records in streams.items()]
    with detecting(road):
        written = road.write([*ahead, *interleaved(streams)])
        until(lambda: road.read() == written)
    assert set(stored(road)) == expected(streams, plane)
    assert [reason for (reason,) in road.rows("SELECT DISTINCT reason FROM unreadable")] == [
        "time: more than a day ahead of the broker's"
    ]


def reshaped(record: bytes) -> bytes:
    """Return the record with the same numbers in another shape."""
    plain = msgspec.json.decode(record)
    plain["input"]["shape"] = [4, 16]
    return msgspec.json.encode(plain)


def moved(record: bytes, by: int) -> bytes:
    """Return the record as if it had been answered `by` µs later."""
    plain = msgspec.json.decode(record)
    plain["time"] = format_time(traffic.START + by)
    return msgspec.json.encode(plain)
