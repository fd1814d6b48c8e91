"""Unpacking swiftly gives what the driver gives, of whole batches, of damaged ones and from the broker."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from kafka import KafkaProducer
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, KafkaError
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder
from kafka.record.util import calc_crc32c
from kafka.structs import TopicPartition

from consumers import topics
from consumers.kafka import Source, read_range, swift, unpack
from detector.topics import Topics
from detector.wire import RawRecord

DEADLINE = 20.0  # seconds
CODECS = (0, 1, 3, 4)  # none, gzip, lz4, zstd
HEADER = 61  # bytes before the records of a batch
NAMES = some.sampled_from(["content-type", "Content-Type", "traceparent", ""])
HEADERS = some.lists(some.tuples(NAMES, some.none() | some.binary(max_size=9)), max_size=3)
BYTES = some.none() | some.binary(max_size=200)
RECORDS = some.lists(some.tuples(some.integers(0, 1 << 45), BYTES, BYTES, HEADERS), min_size=1, max_size=12)
APPENDED = DefaultRecordBatch.TIMESTAMP_TYPE_MASK
ATTRIBUTES = some.sampled_from([0, 0, APPENDED, DefaultRecordBatch.CONTROL_MASK])
CHANGES = some.lists(some.tuples(some.integers(0, 1 << 16), some.integers(0, 255)), min_size=1, max_size=4)
BATCHES = some.lists(some.tuples(RECORDS, some.sampled_from(CODECS), ATTRIBUTES), min_size=1, max_size=6)


def built(records: list[Any], codec: int, first: int = 7) -> bytearray:
    """Return a batch as the driver's producer builds it."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for at, (time_ms, key, value, headers) in enumerate(records):
        builder.append(first + at, time_ms, key, value, headers)
    return bytearray(builder.build())


def reader(of: Any, fetched: bytes, first: int) -> Any:
    """Return the driver's reader, or ours in its place, of what was fetched."""
    return of(first, TopicPartition("t", 0), MemoryRecords(fetched))


def told(of: Any, fetched: bytes, first: int = 0, most: int = 1 << 20) -> tuple[list[RawRecord], int, str]:
    """Return the records that are handed out, the offset to go on from, and the error at which that ends."""
    records: list[RawRecord] = []
    unpacked, error = None, ""
    try:
        unpacked = reader(of, fetched, first)
        while unpacked and (taken := unpacked.take(most)):
            assert len(taken) <= most
            records += taken
    except KafkaError as raised:
        error = str(raised)
    return records, first if unpacked is None else unpacked.next_fetch_offset, error


def driven(fetched: bytes, first: int = 0, most: int = 1 << 20) -> tuple[list[RawRecord], int, str]:
    """Return the same of the driver's own."""
    records, after, error = told(Fetcher.PartitionRecords, fetched, first, most)
    return [unpack.raw(record) for record in records], after, error


def joined(batches: list[Any]) -> tuple[bytes, list[int]]:
    """Return batches as a broker sends them, and the offset after each."""
    fetched, ends = b"", [7]
    for records, codec, attributes in batches:
        data = built(records, codec, ends[-1])
        data[22] |= attributes  # the low byte
        fetched += sealed(data)
        ends.append(ends[-1] + len(records))
    return fetched, ends


def sealed(data: bytearray) -> bytes:
    """Return a batch with the checksum that its bytes have."""
    data[17:21] = calc_crc32c(memoryview(data)[21:]).to_bytes(4, "big")
    return bytes(data)


@settings(deadline=None)  # the loop may have to be compiled first
@given(BATCHES, some.integers(0, 40), some.integers(1, 9), some.integers(0, 70), some.sampled_from([1, 300, 1 << 18]))
def test_the_driver_is_the_oracle(batches: list[Any], first: int, most: int, cut: int, piece: int) -> None:
    """Whatever was fetched, from whatever offset and in whatever portions: the driver's records, and where to go on."""
    fetched, _ = joined(batches)
    fetched = fetched[: len(fetched) - cut]  # brokers cut the last batch off

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpack, "PIECE_BYTES", piece)
        ours = told(swift.Unpacked, fetched, first, most)
    records, after, error = driven(fetched, first, most)
    assert ours == (records, max(after, first), error)  # the driver goes back where all ends before `first`


@settings(max_examples=300, deadline=None)
@given(BATCHES, some.integers(0, 2), CHANGES)
def test_damaged_records_end_as_with_the_driver(batches: list[Any], which: int, changes: list[tuple[int, int]]) -> None:
    """Bytes that are no records raise the driver's error, after all batches before; bytes that still are give the same.

    Two things mean nothing here: a header whose name is not UTF-8, which would stop a partition for good with the
    driver, and a record in the middle that says it comes from before the offset that was asked for.
    """
    batches = [(records, 0, 0) for records, _, _ in batches]
    hurt = min(which, len(batches) - 1)
    fetched, ends = joined(batches[:hurt])
    data = built(batches[hurt][0], 0, ends[-1])
    for at, value in changes:
        data[HEADER + at % (len(data) - HEADER)] = value
    fetched += sealed(data)

    records, after, error = driven(fetched)
    records = [record for record in records if record.place >= 0]
    ours = told(swift.Unpacked, fetched)
    if error:
        kept = [record for record in records if record.place < ends[-1]]
        assert ours in ((kept, ends[-1], ""), ([], 0, error)) or "utf-8" in error
    else:
        assert ours == (records, after, error)


def test_what_cannot_be_read_is_said_again_and_again() -> None:
    """What comes before a wrong checksum is handed out; then each fetch says it, and none goes round for ever."""
    good, [_, first] = joined([([(1_000, None, b"a", [])], 3, 0)])
    bad = bytearray(joined([([(1_000, None, b"b", [])], 3, 0)])[0])
    bad[-1] ^= 1
    unpacked = reader(swift.Unpacked, good + bytes(bad), 7)

    assert [one.value for one in unpacked.take(5)] == [b"a"]
    assert (unpacked.next_fetch_offset, bool(unpacked)) == (first, False)
    for _ in range(2):
        again = reader(swift.Unpacked, bytes(bad), 7)
        with pytest.raises(CorruptRecordError, match="wrong checksum"):
            again.take(5)
        assert not again, "the driver must fetch anew"


@pytest.mark.parametrize("length", [-(1 << 31), -12, 0, 40])
def test_a_length_that_cannot_be_is_an_error(length: int) -> None:
    """A batch shorter than its own head ends the reading with an error."""
    data = built([(1_000, None, b"a", [])], 0)
    data[8:12] = length.to_bytes(4, "big", signed=True)
    with pytest.raises(CorruptRecordError):
        list(unpack.pieces(bytes(data)))


def test_an_older_format_is_read_by_the_driver() -> None:
    """Messages of before format 2 come as the driver reads them, between those of today."""
    old = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    old.append(9, 1_000, None, b"old")
    before, after = (
        built([(1_000, None, b"a", []), (1_000, None, b"b", [])], 3),
        built([(1_000, None, b"c", [])], 4, 10),
    )
    fetched = sealed(before) + bytes(old.build()) + sealed(after)

    assert told(swift.Unpacked, fetched) == driven(fetched)
    assert [one.value for one in told(swift.Unpacked, fetched)[0]] == [b"a", b"b", b"old", b"c"]


def test_the_time_of_the_broker_counts_where_it_is_stated() -> None:
    """A topic with the broker's own times has one for the whole batch."""
    fetched, _ = joined([([(1_000, None, b"a", []), (2_000, None, b"b", [])], 0, APPENDED)])

    assert [one.broker_time for one in told(swift.Unpacked, fetched)[0]] == [2_000_000, 2_000_000]


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
