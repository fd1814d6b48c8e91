"""Past records of a topic, read once from one point to another, outside any consumer group."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaTimeoutError
from kafka.structs import TopicPartition

from consumers.kafka.connection import opened
from consumers.kafka.source import BATCH_RECORDS, FETCH_BYTES
from consumers.kafka.swift import hasten
from consumers.kafka.unpack import MICROSECONDS
from detector.brokers import Brokers
from detector.wire import RawRecord

_POLL_MS = 1_000
_PATIENCE_POLLS = 30  # polls without a record before the broker counts as away


def read_range(
    broker: Brokers | str, topic: str, start: int | None = None, end: int | None = None
) -> Iterator[list[RawRecord]]:
    """Yield the records of `topic` from `start` until before `end` (µs of broker time), in batches.

    Partition after partition, each in order, up to the ends seen when the reading began: two readings of the same
    records are equal. Raises LookupError when there is no such topic, KafkaError when no broker answers.
    """
    with _reader(broker) as consumer:
        places = _places(consumer, topic)
        firsts, lasts = _bounds(consumer, places, start), _bounds(consumer, places, end, whole=False)
        for place in places:
            yield from _read(consumer, place, firsts[place], lasts[place])


def written(broker: Brokers | str, topic: str) -> int:
    """Return how many records `topic` holds. Raises LookupError without the topic, KafkaError without a broker."""
    with _reader(broker) as consumer:
        places = _places(consumer, topic)
        count: int = sum(consumer.end_offsets(places).values()) - sum(consumer.beginning_offsets(places).values())
        return count


def ends(broker: Brokers | str, topic: str) -> dict[int, int]:
    """Return the next offset of each partition. Raises LookupError without the topic, KafkaError without a broker."""
    with _reader(broker) as consumer:
        return {place.partition: int(end) for place, end in consumer.end_offsets(_places(consumer, topic)).items()}


@contextmanager
def _reader(broker: Brokers | str) -> Iterator[Any]:
    consumer: Any = opened(
        KafkaConsumer,
        broker,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=BATCH_RECORDS,
        max_partition_fetch_bytes=FETCH_BYTES,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False)


def _places(consumer: Any, topic: str) -> list[Any]:
    places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    if not places:
        raise LookupError(f"topic {topic!r} does not exist")
    return places


def _bounds(consumer: Any, places: list[Any], time: int | None, *, whole: bool = True) -> dict[Any, int]:
    """Return the first offset at or after `time`; without a time the beginning (`whole`) or the end."""
    ends: dict[Any, int] = consumer.end_offsets(places)
    if time is None:
        return consumer.beginning_offsets(places) if whole else ends
    found = consumer.offsets_for_times({place: max(time, 0) // MICROSECONDS for place in places})
    return {place: ends[place] if found.get(place) is None else found[place].offset for place in places}


def _read(consumer: Any, place: Any, first: int, last: int) -> Iterator[list[RawRecord]]:
    if first >= last:
        return
    raw = hasten(consumer)
    consumer.assign([place])
    consumer.seek(place, first)
    silent = 0
    while consumer.position(place) < last:  # not the last record's offset: that one may be a marker of the broker's
        records = consumer.poll(timeout_ms=_POLL_MS).get(place, [])
        silent = 0 if records else silent + 1
        if silent > _PATIENCE_POLLS:
            raise KafkaTimeoutError(f"{place.topic}: nothing came for {_PATIENCE_POLLS * _POLL_MS // 1000} s")
        batch = [record for record in raw(records) if record.place < last]
        if batch:
            yield batch
