"""Unpacking swiftly gives what the driver gives, of whole batches, of damaged ones and from the broker."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumers import topics
from consumers.kafka import Source, read_range, swift
from detector.topics import Topics
from detector.wire import RawRecord

DEADLINE = 20.0  # seconds
CODECS = (0, 1, 3, 4)  # none, gzip, lz4, zstd
HEADER = 61  # bytes before the records of a batch
NAMES = some.sampled_from(["content-type", "Content-Type", "traceparent", ""])
HEADERS = some.lists(some.tuples(NAMES, some.none() | some.binary(max_size=9)), max_size=3)
BYTES = some.none() | some.binary(max_size=200)
RECORDS = some.lists(some.tuples(some.integers(0, 1 << 45), BYTES, BYTES, HEADERS), min_size=1, max_size=12)


def built(records: list[Any], codec: int, first: int = 7) -> bytearray:
    """Return a batch as the driver's producer builds it."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for at, (time_ms, key, value, headers) in enumerate(records):
        builder.append(first + at, time_ms, key, value, headers)
    return bytearray(builder.build())


def batch(data: bytearray) -> Any:
    """Return the driver's view of a batch."""
    return MemoryRecords(bytes(data)).next_batch()


def outcome(read: Callable[[], list[RawRecord]]) -> list[RawRecord] | str:
    """Return what was read, or the error."""
    try:
        return read()
    except KafkaError as error:
        return f"{type(error).__name__}: {error}"


@settings(deadline=None)  # the loop may have to be compiled first
@given(RECORDS, some.sampled_from(CODECS))
def test_the_driver_is_the_oracle(records: list[Any], codec: int) -> None:
    """Values, times, offsets and content types are those that the driver finds."""
    data = built(records, codec)

    assert list(swift.records(batch(data))) == [swift.raw(record) for record in batch(data)]


@settings(max_examples=300, deadline=None)
@given(RECORDS, some.lists(some.tuples(some.integers(0, 1 << 16), some.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_records_end_as_with_the_driver(records: list[Any], changes: list[tuple[int, int]]) -> None:
    """Bytes that are no records raise the driver's error; bytes that still are give the same records.

    Only a header whose name is not UTF-8 means nothing here, where with the driver it would stop a partition for good.
    """
    data = built(records, 0)
    for at, value in changes:
        data[HEADER + at % (len(data) - HEADER)] = value

    driven = outcome(lambda: [swift.raw(record) for record in batch(data)])
    assert outcome(lambda: list(swift.records(batch(data)))) == driven or "utf-8" in driven


def test_the_time_of_the_broker_counts_where_it_is_stated() -> None:
    """A topic with the broker's own times has one for the whole batch."""
    data = built([(1_000, None, b"a", []), (2_000, None, b"b", [])], 0)
    data[22] |= DefaultRecordBatch.TIMESTAMP_TYPE_MASK  # the low byte of the attributes

    assert [one.broker_time for one in swift.records(batch(data))] == [2_000_000, 2_000_000]


@pytest.mark.parametrize("tried", [swift.TRIED, ()])
def test_from_the_broker(kafka: str, topics_prefix: str, tried: tuple[str, ...], monkeypatch: Any) -> None:
    """With a version that was tried and with any other: everything once, in order, from the offset asked for."""
    monkeypatch.setattr(swift, "TRIED", tried)
    topics.ensure(kafka, 1, topics_prefix)
    name = Topics(topics_prefix).predictions
    producer = KafkaProducer(bootstrap_servers=kafka, linger_ms=50, compression_type="lz4")
    values = [None if number % 10 == 9 else b"%d" % number for number in range(100)]
    for number, value in enumerate(values):
        headers = [("content-type", b"text/x-test")] if number % 2 else []
        producer.send(name, value, key=b"k", partition=0, headers=headers)
    producer.close()
    expected = [(value, "text/x-test" if number % 2 else None, number) for number, value in enumerate(values)]
    past = [record for part in read_range(kafka, name) for record in part]

    assert [(one.value, one.content_type, one.place) for one in past] == expected
    assert all(abs((one.broker_time or 0) / 1e6 - time.time()) < DEADLINE for one in past)
    assert _from(kafka, f"{topics_prefix}group", name, 33) == past[33:]


def _from(kafka: str, group: str, topic: str, offset: int) -> list[RawRecord]:
    source, read = Source(kafka, group, topic, session=6.0), list[RawRecord]()
    end = time.monotonic() + DEADLINE
    try:
        while not any(change.partitions for change in source.changes()):
            source.poll(0.1)
            assert time.monotonic() < end, "the group dealt out nothing"
        source.start(0, offset)
        while len(read) < 100 - offset:
            read += [record for _, records in source.poll(0.1) for record in records]
            assert time.monotonic() < end, "records did not come"
    finally:
        source.close()
    return read
