"""Partitions are added: clients move to them with everything that is known of them, and in order."""

from collections.abc import Iterable

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.partitioner.default import murmur2

from detector.population import Population
from tests.consumers.road import Road, interleaved, until
from tests.consumers.test_detect import assert_exact, crowd, detecting

BEFORE = 2
AFTER = 4
LEARN = 4.0  # seconds
NOTICED = "SELECT extract(epoch FROM now() - max(noticed)) FROM layouts WHERE partitions = 4"


def grow(road: Road, partitions: int) -> None:
    """Give the topic so many partitions."""
    admin = KafkaAdminClient(bootstrap_servers=road.kafka)
    admin.create_partitions({road.topics.predictions: partitions})
    until(lambda: len(admin.describe_topics([road.topics.predictions])[0]["partitions"]) == partitions)
    admin.close()


def home(client: str, partitions: int) -> int:
    """Return the partition that a producer chooses when it knows of so many."""
    return int(murmur2(client.encode()) & 0x7FFFFFFF) % partitions


def write_to_old(road: Road, records: Iterable[tuple[str, bytes]]) -> int:
    """Write as a producer does that has not learnt yet of the added partitions."""
    producer = KafkaProducer(bootstrap_servers=road.kafka)
    written = 0
    for client, record in records:
        producer.send(road.topics.predictions, record, key=client.encode(), partition=home(client, BEFORE))
        written += 1
    producer.flush()
    producer.close()
    return written


def test_a_past_that_was_not_read(road: Road, plane: Population) -> None:
    """Detect was away when the topic grew: what lies in the old partitions is read first."""
    streams = crowd(honest=8, thieves=6)
    assert any(home(client, AFTER) >= BEFORE for client in streams if client.startswith("thief"))
    records = interleaved(streams)
    with detecting(road):
        pass
    written = road.write(records[: len(records) // 2])
    grow(road, AFTER)
    written += road.write(records[len(records) // 2 :])
    with road.process(), road.process():
        until(lambda: road.read() == written)
    assert_exact(road, streams, plane)
    assert road.one("SELECT count(DISTINCT partition) FROM offsets WHERE next > 0") > BEFORE


@pytest.mark.slow  # half a minute; the other test of growth is in `make test`
def test_a_producer_that_learns_late(road: Road, plane: Population) -> None:
    """A producer that goes on writing to the old partitions for a while gets its clients judged in order, too."""
    streams = crowd(honest=4, thieves=4)
    records = interleaved(streams)
    third = len(records) // 3
    with detecting(road, learn_seconds=LEARN):
        written = road.write(records[:third])
        grow(road, AFTER)
        until(lambda: (road.one(NOTICED) or 0) > LEARN / 2)
        written += write_to_old(road, records[third : 2 * third])
        written += road.write(records[2 * third :])
        assert road.one("SELECT count(*) FROM layouts WHERE ends IS NULL") == 1
        until(lambda: road.read() == written)
    assert_exact(road, streams, plane)
