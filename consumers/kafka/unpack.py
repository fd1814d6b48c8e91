"""Unpacking record batches: the bytes that a broker sent to RawRecords.

A producer's batches are small, half a dozen JSON records each, and whatever Python does of each batch or each record
is most of the cost. So batches are joined to a piece of some hundred kilobytes, one compiled loop finds where every
value begins and ends, and a RawRecord is all that is made of each. Whatever is not as it should be (a wrong checksum,
bytes that are no records, older formats, rarer compression) goes to the driver, which knows or says what is wrong.

Source: Apache Kafka, "Record Batch" (message format 2).
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from kafka.codec import gzip_decode, lz4_decode, zstd_decode
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import calc_crc32c, decode_varint

from detector.compiled import inlined, lean
from detector.wire import RawRecord

CONTENT_TYPE: Final = "content-type"
MICROSECONDS: Final = 1_000  # in one of Kafka's milliseconds
PIECE_BYTES: Final = 1 << 18  # of values in one piece, and what the last batch has above it: fits a cache
# first offset, length, leader's epoch, format, checksum, attributes, last offset less the first, time of the first
# record, latest time, three of the producer's, records
_HEADER: Final = Struct(">qiibIhiqqqhii")
_LENGTH, _BEFORE, _MAGIC, _CHECKED = 8, 12, 16, 21  # bytes before a length, what it counts, the format, what is checked
_FORMAT: Final = 2
_OLDEST: Final = 26  # bytes, at least, of a message of format 0
_COMPRESSION, _APPENDED, _CONTROL = 7, 8, 32  # bits of the attributes
_READERS: Final[dict[int, Callable[[Any], bytes]]] = {0: bytes, 1: gzip_decode, 3: lz4_decode, 4: zstd_decode}
_FIRST, _SINCE, _FIXED, _COUNT, _UNTIL = range(5)  # columns of the batches of a piece
_OFFSET, _TIME, _VALUE, _END, _HEADERS = range(5)  # columns of an index; no value ends before it begins
_COLUMNS: Final = 5
_NONE: Final = -1  # where there are no headers
_BAD: Final = -2  # position after bytes that are no record
_BITS: Final = 63  # of a varint

Longs = npt.NDArray[np.int64]


class Piece(NamedTuple):
    """Records that follow on each other."""

    records: list[RawRecord]
    next: int  # the offset after the last batch: compaction may have removed its last records
    epoch: int  # of the leader that wrote that batch; -1 where it states none


class _Joined(NamedTuple):
    """Batches on their way to a piece."""

    data: bytes  # their records, end to end
    batches: Longs  # i8[batches, 5]
    next: int
    epoch: int
    end: int  # in what was fetched


def warm() -> None:
    """Compile the loop, or load it from the cache."""
    _find(np.frombuffer(bytes(1), np.uint8), np.zeros((0, _COLUMNS), np.int64), np.zeros((0, _COLUMNS), np.int64))


def raw(record: Any) -> RawRecord:
    """Return a record of the driver as the wire takes it; the broker's time in µs."""
    stated = next((value for name, value in record.headers or () if name.lower() == CONTENT_TYPE), None)
    return RawRecord(
        value=record.value,
        content_type=None if stated is None else stated.decode("latin-1"),
        broker_time=record.timestamp * MICROSECONDS if record.timestamp and record.timestamp > 0 else None,
        place=record.offset,
    )


def pieces(fetched: bytes, checked: bool = True) -> Iterator[Piece]:
    """Yield what was fetched of one partition, checksums compared if they are to be `checked`.

    A batch of which the end is missing ends it. Raises CorruptRecordError as the driver does, after what came before.
    """
    at = 0
    while (end := _end(fetched, at)) <= len(fetched):
        joined = _joined(fetched, at, checked)
        end = max(end, joined.end)
        records = _records(joined) if joined.next else None
        if records is None:
            yield from _driven(fetched[at:end], checked)
        else:
            yield Piece(records, joined.next, joined.epoch)
        at = end


def _end(fetched: bytes, at: int) -> int:
    """Return where the batch at `at` ends; behind everything where not even its beginning is there."""
    if len(fetched) - at <= _MAGIC:
        return len(fetched) + 1
    size = _BEFORE + int.from_bytes(fetched[at + _LENGTH : at + _BEFORE], "big", signed=True)
    if size < (_HEADER.size if fetched[at + _MAGIC] == _FORMAT else _OLDEST):
        raise CorruptRecordError(f"a batch of {size} bytes at byte {at} of what was fetched")
    return at + size


def _driven(batches: bytes, checked: bool) -> Iterator[Piece]:
    """Yield what the driver makes of batches, one by one."""
    for batch in MemoryRecords(batches):
        if checked and not batch.validate_crc():
            raise CorruptRecordError(f"a wrong checksum at offset {batch.base_offset}")
        new = batch.magic == _FORMAT
        records = [] if new and batch.is_control_batch else [raw(record) for record in batch]
        after, epoch = (batch.next_offset, batch.leader_epoch) if new else (batch.base_offset + 1, -1)
        yield Piece(records, after, epoch)


def _joined(fetched: bytes, at: int, checked: bool) -> _Joined:
    """Return the batches from `at` on that can be joined: none, and next 0, if not even the first can."""
    view = memoryview(fetched)
    values: list[bytes] = []
    batches: list[tuple[int, int, int, int, int]] = []
    size = after = 0
    epoch = -1
    while size < PIECE_BYTES and len(fetched) - at >= _HEADER.size:
        head = _HEADER.unpack_from(fetched, at)
        first, length, _, magic, crc, attributes, last, since, latest, _, _, _, count = head
        end = at + _BEFORE + length
        whole = magic == _FORMAT and at + _HEADER.size <= end <= len(fetched)
        reader = _READERS.get(attributes & _COMPRESSION) if whole else None
        if reader is None or (checked and calc_crc32c(view[at + _CHECKED : end]) != crc):
            break
        if not attributes & _CONTROL:  # else it marks the end of a transaction: nobody wrote it for us
            values.append(reader(view[at + _HEADER.size : end]))
            if not 0 <= count <= len(values[-1]):
                break
            size += len(values[-1])
            appended = attributes & _APPENDED
            batches.append((first, latest if appended else since, appended, count, size))
        at, after, epoch = end, first + last + 1, head[2]
    rows = np.array(batches, np.int64).reshape(-1, _COLUMNS)
    return _Joined(b"".join(values[: len(batches)]), rows, after, epoch, at)


def _records(joined: _Joined) -> list[RawRecord] | None:
    """Return the records; None where the bytes are not as they should be."""
    data = joined.data
    index = np.empty((int(joined.batches[:, _COUNT].sum()), _COLUMNS), np.int64)
    if not _find(np.frombuffer(data, np.uint8), joined.batches, index):
        return None
    return [
        RawRecord(
            None if end < at else data[at:end],
            None if headers == _NONE else _stated(data, headers),
            micros if micros > 0 else None,
            offset,
        )
        for offset, micros, at, end, headers in index.tolist()
    ]


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


@lean
def _find(data: Any, batches: Any, index: Any) -> bool:
    """Write where everything is in the records of all batches; tell whether they fill the data exactly."""
    at = np.int64(0)
    row = 0
    for batch in range(batches.shape[0]):
        for _ in range(batches[batch, _COUNT]):
            at = _place(data, at, batches[batch], index[row])
            if at < 0:
                return False
            row += 1
        if at != batches[batch, _UNTIL]:
            return False
    return True


@inlined
def _place(data: Any, at: Any, batch: Any, found: Any) -> Any:
    """Write where everything is in the record at `at`, and return where it ends; _BAD if it is none."""
    length, at = _varint(data, at)
    if length < 1 or length > batch[_UNTIL] - at:
        return np.int64(_BAD)
    end = at + length
    _, at = _varint(data, at)  # the attributes mean nothing yet
    later, at = _varint(data, at)
    found[_TIME] = (batch[_SINCE] + (np.int64(0) if batch[_FIXED] else later)) * MICROSECONDS
    further, at = _varint(data, at)
    found[_OFFSET] = batch[_FIRST] + further
    _, at = _past(data, at)  # the key
    long, found[_VALUE] = _varint(data, at)
    found[_END] = found[_VALUE] + long
    _, at = _past(data, at)
    count, first = _varint(data, at)
    found[_HEADERS] = at if count > 0 else _NONE
    at = first
    for _ in range(count):
        name, at = _past(data, at)
        _, at = _past(data, at)  # its value
        if name < 0 or at < 0:
            return np.int64(_BAD)
    return end if count >= 0 and at == end else np.int64(_BAD)


@inlined
def _past(data: Any, at: Any) -> tuple[Any, Any]:
    """Return the length of bytes with their length before them, and the position after them."""
    length, at = _varint(data, at)
    if at < 0 or length > data.shape[0] - at:
        return np.int64(0), np.int64(_BAD)
    return length, at + max(length, np.int64(0))


@inlined
def _varint(data: Any, at: Any) -> tuple[Any, Any]:
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
