"""Record files: JSON lines or `.gkb`, plain, gzip or zstd, as raw records; a cut-off end is a record with a fault."""

import gzip
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO

import zstandard

from detector.records import CONTENT_TYPE_BATCH
from detector.wire import RawRecord

BLOCK_BYTES = 1 << 18
ZSTD_BLOCK_BYTES = 1 << 10  # of compressed bytes at a time: four of them can unfold to 128 KiB
_LENGTH_BYTES = 4  # of a `.gkb` record's length


class CutOffError(Exception):
    """The bytes of a file end, or make no sense, before their end; the message says how."""


def read_file(path: Path, limit_bytes: int) -> Iterator[RawRecord]:
    """Yield the records of a file, numbered from 1. Of one above `limit_bytes` only the head is kept.

    Raises OSError where the file cannot be opened or read.
    """
    with path.open("rb") as file:
        suffixes = [suffix.lower() for suffix in path.suffixes]
        packing = suffixes.pop() if suffixes and suffixes[-1] in _UNPACK else ""
        blocks = _UNPACK.get(packing, _plain)(file)
        yield from (_frames if suffixes[-1:] == [".gkb"] else _lines)(blocks, limit_bytes)


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        yield block


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as stream:
        try:
            while block := stream.read1(BLOCK_BYTES):
                yield block
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CutOffError(f"gzip: {error}") from error


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    unpack = zstandard.ZstdDecompressor()
    frame = None  # a file is one frame or several
    while packed := file.read(ZSTD_BLOCK_BYTES):
        while packed:
            frame = frame or unpack.decompressobj()
            try:
                block = frame.decompress(packed)
            except zstandard.ZstdError as error:
                raise CutOffError(f"zstd: {error}") from error
            packed = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
            yield block
    if frame is not None:
        raise CutOffError("zstd: the file ends inside a frame")


_UNPACK = {".gz": _gzip, ".zst": _zstd}


def _lines(blocks: Iterator[bytes], limit: int) -> Iterator[RawRecord]:
    place = count(1)
    rest = b""
    fault = None
    try:
        for block in blocks:
            *whole, last = block.split(b"\n")
            if whole:
                whole[0] = rest + whole[0]
                rest = b""
                for line in whole:
                    yield _line(line, next(place), limit)
            rest += last[: limit + 1 - len(rest)]  # one byte above the limit is enough to know
    except CutOffError as error:
        fault = str(error)
    if rest or fault:
        yield RawRecord(rest, None, None, next(place), fault)


def _line(line: bytes, place: int, limit: int) -> RawRecord:
    return RawRecord(line[: limit + 1], None, None, place)


def _frames(blocks: Iterator[bytes], limit: int) -> Iterator[RawRecord]:
    stream = _Bytes(blocks)
    for place in count(1):
        head = b""
        try:
            head = stream.take(_LENGTH_BYTES)
            if not head:
                return
            value = _framed(stream, int.from_bytes(_whole(head, _LENGTH_BYTES), "little"), limit)
        except CutOffError as error:
            yield RawRecord(head, None, None, place, str(error))
            return
        yield RawRecord(value, None if value[:1] == b"{" else CONTENT_TYPE_BATCH, None, place)


def _framed(stream: "_Bytes", length: int, limit: int) -> bytes:
    value = _whole(stream.take(min(length, limit + 1)), min(length, limit + 1))
    if length > limit + 1 and stream.skip(length - len(value)):
        raise CutOffError(f"gkb: the file ends inside a record of {length} bytes")
    return value


def _whole(data: bytes, length: int) -> bytes:
    if len(data) < length:
        raise CutOffError(f"gkb: the file ends {length - len(data)} bytes too early")
    return data


class _Bytes:
    """Blocks of bytes, taken in other sizes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._buffer = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes; fewer only at the end. Raises CutOffError."""
        parts = []
        while size > 0 and self._fill():
            part = self._buffer[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, size: int) -> int:
        """Pass over `size` bytes; return how many of them were not there. Raises CutOffError."""
        while size > 0 and self._fill():
            step = min(size, len(self._buffer) - self._at)
            self._at += step
            size -= step
        return size

    def _fill(self) -> bool:
        while self._at >= len(self._buffer):
            block = next(self._blocks, None)
            if block is None:
                return False
            self._buffer, self._at = block, 0
        return True
