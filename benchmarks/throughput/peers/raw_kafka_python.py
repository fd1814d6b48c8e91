"""kafka-python alone: records are fetched and parsed, and nothing is done with them."""

from collections.abc import Callable, Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from benchmarks.throughput.measured import Clock, Measured, Told
from consumers.kafka.source import BATCH_RECORDS, FETCH_BYTES

POLL_MS = 1_000


def run(told: Told) -> Measured:
    """Read the topic."""
    batches = polled(told)
    clock = Clock()
    for _ in batches:
        pass
    return clock.read()


def polled(told: Told, prepare: Callable[[Any], object] = lambda _: None) -> Iterator[list[Any]]:
    """Return the topic's records by poll and partition, read with the settings of `detect`, until all have come."""
    consumer = KafkaConsumer(
        bootstrap_servers=told.kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=BATCH_RECORDS,
        max_partition_fetch_bytes=FETCH_BYTES,
        metrics_enabled=False,
    )
    prepare(consumer)
    places = [TopicPartition(told.topic, number) for number in consumer.partitions_for_topic(told.topic)]
    return _read(consumer, places, told.records)


def _read(consumer: Any, places: list[Any], left: int) -> Iterator[list[Any]]:
    consumer.assign(places)
    while left > 0:
        for records in consumer.poll(timeout_ms=POLL_MS).values():
            left -= len(records)
            yield records
    consumer.close(autocommit=False)
