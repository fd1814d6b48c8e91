"""Unpacking what was fetched, ten times as fast as the driver does.

The driver (kafka-python 3.0) makes some twenty Python objects and calls of each record: most of the time in which
`detect` reads JSON records. Here one compiled loop finds where the values of a batch begin and end, and a RawRecord
is all that is made of each. The driver has no door to this, so it is done with the versions that were tried;
any other hands out its own records (docs/decisions/0028).

Source: Apache Kafka, "Record Batch" (message format 2).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import kafka
import numpy as np
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint

from detector.compiled import inlined, lean
from detector.wire import RawRecord

TRIED: Final = ("3.0.12",)
CONTENT_TYPE: Final = "content-type"
MICROSECONDS: Final = 1_000  # in one of Kafka's milliseconds
_MAGIC: Final = 2  # of the message format
_OFFSET, _TIME, _VALUE, _END, _HEADERS = range(5)  # columns of an index; no value ends before it begins
_COLUMNS: Final = 5
_NONE: Final = -1  # where there are no headers
_BAD: Final = -2  # position after bytes that are no record
_BITS: Final = 63  # of a varint


def hasten(consumer: Any) -> Callable[[Sequence[Any]], Sequence[RawRecord]]:
    """Hasten a consumer of the driver if that was tried; return what makes RawRecords of what it hands out."""
    if kafka.__version__ not in TRIED:
        return _each_raw
    consumer._fetcher.PartitionRecords = _Unpacked  # noqa: SLF001  # the driver has no other door to this
    return _as_they_are


def warm() -> None:
    """Compile the loop, or load it from the cache."""
    _find(np.frombuffer(bytes(1), np.uint8), 0, (0, 0, False), np.zeros((1, _COLUMNS), np.int64))


def raw(record: Any) -> RawRecord:
    """Return a record of the driver as the wire takes it; the broker's time in µs."""
    stated = next((value for name, value in record.headers or () if name.lower() == CONTENT_TYPE), None)
    return RawRecord(
        value=record.value,
        content_type=None if stated is None else stated.decode("latin-1"),
        broker_time=record.timestamp * MICROSECONDS if record.timestamp and record.timestamp > 0 else None,
        place=record.offset,
    )


def _each_raw(records: Sequence[Any]) -> Sequence[RawRecord]:
    return [raw(record) for record in records]


def _as_they_are(records: Sequence[RawRecord]) -> Sequence[RawRecord]:
    return records


def records(batch: Any) -> Iterable[RawRecord]:
    """Return the records of one of the driver's batches. Raises CorruptRecordError as the driver does."""
    if batch.magic != _MAGIC:
        return map(raw, batch)
    batch._maybe_uncompress()  # noqa: SLF001
    data = bytes(batch._buffer)  # noqa: SLF001
    index = _index(batch, data)
    if index is None:
        return map(raw, batch)  # the driver will say what is wrong with its bytes
    return [
        RawRecord(
            None if end < at else data[at:end],
            None if headers == _NONE else _stated(data, headers),
            micros if micros > 0 else None,
            offset,
        )
        for offset, micros, at, end, headers in index
    ]


def _index(batch: Any, data: bytes) -> list[list[int]] | None:
    """Return offset, time and place of each record of a batch; None where its bytes are not as they should be.

    Batches may be small: whatever numpy would do of it costs as much as some records.
    """
    if not 0 <= batch.records_count <= len(data):
        return None
    index = np.empty((batch.records_count, _COLUMNS), np.int64)
    appended = batch.timestamp_type == batch.LOG_APPEND_TIME
    since = (batch.base_offset, batch.max_timestamp if appended else batch.first_timestamp, appended)
    return index.tolist() if _find(np.frombuffer(data, np.uint8), batch._pos, since, index) else None  # noqa: SLF001


def _stated(data: bytes, at: int) -> str | None:
    """Return the content type that the headers at `at` state, if any."""
    count, at = decode_varint(data, at)
    for _ in range(count):
        name, at = _part(data, at)
        value, at = _part(data, at)
        if name is not None and name.lower() == CONTENT_TYPE.encode():
            return None if value is None else value.decode("latin-1")
    return None


def _part(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(data, at)
    return (None, at) if length < 0 else (data[at : at + length], at + length)


class _Unpacked(Fetcher.PartitionRecords):  # type: ignore[misc]  # the driver ships no types
    """What was fetched of one partition. The driver counts on the attributes that are written here."""

    def _maybe_skip_record(self, record: RawRecord) -> bool:
        """Leave out what comes before the offset that was asked for, at the head of a compressed batch."""
        return bool(record.place < self.fetch_offset)

    def _unpack_records(self, _place: Any, fetched: Any, *_deserializers: Any) -> Iterator[RawRecord]:
        while (batch := fetched.next_batch()) is not None:
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"{self.topic_partition}: a wrong checksum at {batch.base_offset}")
            self.bytes_read += batch.size_in_bytes
            for record in () if _of_the_broker(batch) else records(batch):
                self.records_read += 1
                self.next_fetch_offset = record.place + 1
                yield record
            if batch.magic == _MAGIC:
                self.leader_epoch = batch.leader_epoch
                self.next_fetch_offset = batch.next_offset  # compaction may have removed the last records
        self.drain()


def _of_the_broker(batch: Any) -> bool:
    """Tell whether a batch marks the end of a transaction: nobody wrote it for us."""
    return bool(batch.magic == _MAGIC and batch.is_control_batch)


@lean
def _find(data: Any, at: int, since: tuple[int, int, bool], index: Any) -> bool:
    """Write where everything is in the records from `at` on; tell whether they fill the data exactly.

    `since`: the batch's first offset, and the time (ms) from which each record's own time counts, or is, if appended.
    """
    first_offset, first_time, appended = since
    for row in range(index.shape[0]):
        length, at = _varint(data, at)
        if length < 1 or length > data.shape[0] - at:
            return False
        end = at + length
        _, at = _varint(data, at)  # the attributes mean nothing yet
        later, at = _varint(data, at)
        index[row, _TIME] = (first_time + (np.int64(0) if appended else later)) * MICROSECONDS
        further, at = _varint(data, at)
        index[row, _OFFSET] = first_offset + further
        _, at = _past(data, at)  # the key
        long, index[row, _VALUE] = _varint(data, at)
        index[row, _END] = index[row, _VALUE] + long
        _, at = _past(data, at)
        count, first = _varint(data, at)
        index[row, _HEADERS] = at if count > 0 else _NONE
        at = first
        for _ in range(count):
            name, at = _past(data, at)
            _, at = _past(data, at)  # its value
            if name < 0 or at < 0:
                return False
        if count < 0 or at != end:
            return False
    return bool(at == data.shape[0])


@inlined
def _past(data: Any, at: int) -> tuple[Any, Any]:
    """Return the length of bytes with their length before them, and the position after them."""
    length, at = _varint(data, at)
    if at < 0 or length > data.shape[0] - at:
        return np.int64(0), np.int64(_BAD)
    return length, at + max(length, np.int64(0))


@inlined
def _varint(data: Any, at: int) -> tuple[Any, Any]:
    """Return a zigzag varint and the position after it; a negative one where there is none."""
    value, shift = np.int64(0), np.int64(0)
    while 0 <= at < data.shape[0] and shift <= _BITS:
        byte = np.int64(data[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004  # the last of its bytes
            return (value >> 1) ^ -(value & 1), np.int64(at)
        shift += 7
    return np.int64(0), np.int64(_BAD)
