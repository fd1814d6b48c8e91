"""Snapshots: a client's slot as bytes, so that idle clients leave memory and a restart loses nothing.

    lz4(msgpack {"v": 1, "head": {field: number}, "sections": {name: [version, bytes]}})

As an lz4 frame; one written by an earlier release is a zstd frame, twice as slow to make for a seventh less of it.

The head is read by name, whatever version wrote it. A section of another version or size starts as
unknown and is counted: an upgrade that changes one signal loses that signal's memory only.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import lz4.frame
import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from detector.clients import EVIDENCE, HEAD, OF_SIGNALS, Section, Table, evidence_of, packed
from detector.memory import YOUNG
from detector.signals.base import Field

VERSION: Final = 1
LARGEST: Final = 1 << 22  # bytes that unpack() accepts: many times a slot
_NOTHING: Final = memoryview(b"")
ZSTD: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1
Slots = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]
AT_ONCE: Final = 32  # slots turned into bytes together: their scratch memory stays in the cache


class BadSnapshot(ValueError):  # noqa: N818  # named for what it says to the operator
    """A snapshot that cannot be read; the message says what is wrong with it."""


class _Document(msgspec.Struct):
    head: dict[str, int | float]
    sections: dict[str, tuple[int, memoryview]]  # the bytes are looked at where they lie


_DECODER: Final = msgspec.msgpack.Decoder(_Document)


class Held(NamedTuple):
    """A snapshot, and the slot that it goes to."""

    slot: int
    data: bytes
    same_population: bool


def pack(table: Table, slots: Sequence[int]) -> Iterator[bytes]:
    """Yield clients' slots as bytes, in the order given; column by column, for that is how they are held."""
    for start in range(0, len(slots), AT_ONCE):
        some = np.array(slots[start : start + AT_ONCE])
        heads = [table.head[field.name][some].tolist() for field in HEAD]
        parts = _parts(table, some)
        for head, rows in zip(zip(*heads, strict=True), zip(*parts, strict=True), strict=True):
            document = {
                "v": VERSION,
                "head": {field.name: value for field, value in zip(HEAD, head, strict=True)},
                "sections": {
                    section.name: [section.version, row] for section, row in zip(table.sections[1:], rows, strict=True)
                },
            }
            yield lz4.frame.compress(msgspec.msgpack.encode(document))


def unpack(table: Table, held: Sequence[Held]) -> int:
    """Read slots from bytes and return how many sections start as unknown.

    Of what was seen through another population, only the head and the heard ids are taken. Raises BadSnapshot.
    """
    unknown = 0
    for start in range(0, len(held), AT_ONCE):
        some = held[start : start + AT_ONCE]
        slots, documents = np.array([one.slot for one in some]), [_document(one.data) for one in some]
        for field in HEAD:
            column = table.head[field.name]
            values = [document.head.get(field.name, field.initial) for document in documents]
            column[slots] = np.array(values, column.dtype)
        for section in table.sections[1:]:
            unknown += _take(table, slots, section, [document.sections for document in documents])
        for one in some:
            if not one.same_population:
                table.forget(one.slot)
    return unknown


def _document(data: bytes) -> _Document:
    try:
        return _DECODER.decode(_whole(data))
    except (zstandard.ZstdError, RuntimeError, msgspec.MsgspecError) as error:  # RuntimeError: of lz4, bad frames
        raise BadSnapshot(f"snapshot: not a client's snapshot ({error})") from error


def _whole(data: bytes) -> bytes:
    """Return what was compressed; never more than LARGEST bytes, whatever a frame promises."""
    if data.startswith(ZSTD):
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=LARGEST)
    size = lz4.frame.get_frame_info(data)["content_size"]
    if not 0 < size <= LARGEST:
        raise BadSnapshot(f"snapshot: states {size} bytes, and more than {LARGEST} are too many")
    return bytes(lz4.frame.decompress(data))


def _parts(table: Table, slots: Slots) -> list[list[memoryview]]:
    """Return the sections of each slot, section by section."""
    parts, evidence, at = [], _evidence(table, slots), 0
    for section in table.sections[1:]:
        if section.evidence:
            own, size = _own(table, slots, section, section.own), packed(section.evidence).itemsize
            parts.append(_apart(np.concatenate([own, evidence[:, at : at + size]], axis=1)))
            at += size
        elif section.young:
            parts.append(_by_age(table, slots, section))
        else:
            parts.append(_apart(_own(table, slots, section, section.own)))
    return parts


def _by_age(table: Table, slots: Slots, section: Section) -> list[memoryview]:
    """Return a section that is written short where few queries are remembered."""
    young = table.columns[section.name]["kept"][slots] <= YOUNG
    short = iter(_apart(_own(table, slots[young], section, section.young)))
    long = iter(_apart(_own(table, slots[~young], section, section.own)))
    return [next(short if few else long) for few in young.tolist()]


def _own(table: Table, slots: Slots, section: Section, fields: tuple[Field, ...]) -> Bytes:
    """Return the fields of each slot, one after the other; u1[n, bytes]."""
    columns, dtype = table.columns[section.name], packed(fields)
    rows = np.empty(len(slots), dtype)
    for field in fields:
        rows[field.name] = columns[field.name][places(slots, field)]
    return rows.view(np.uint8).reshape(len(slots), dtype.itemsize)


def places(slots: Any, field: Field) -> tuple[Any, ...]:
    """Return the index of the first places of a column: all where the field is as long as the column."""
    return (slots, *(slice(size) for size in field.shape))


def _evidence(table: Table, slots: Slots) -> Bytes:
    """Return the evidence of each slot in the order of the signals' sections; u1[n, bytes].

    All of it are numbers of 8 bytes, moved together: a hundred small columns take ten times as long one by one.
    """
    if table.light:
        return np.empty((len(slots), 0), np.uint8)
    words = [table.evidence[field.name][slots].reshape(len(slots), -1).view(np.int64) for field in EVIDENCE]
    return np.take(np.concatenate(words, axis=1), _order(), axis=1).view(np.uint8)


@cache
def _order() -> Slots:
    """Return which number of EVIDENCE, all laid side by side, comes where."""
    numbers, at = {}, 0
    for field in EVIDENCE:
        count = math.prod(field.shape)
        numbers[field.name] = np.arange(at, at + count).reshape(1, *field.shape)
        at += count
    parts = [evidence_of(section, numbers) for section in OF_SIGNALS]
    return np.concatenate([part.ravel() for columns in parts for part in columns.values()])


def _apart(rows: Bytes) -> list[memoryview]:
    whole, size = np.ascontiguousarray(rows).reshape(-1).data, rows.shape[1]
    return [whole[at * size : (at + 1) * size] for at in range(len(rows))]


def _take(table: Table, slots: Slots, section: Section, written: Sequence[Mapping[str, tuple[int, memoryview]]]) -> int:
    """Read one section of each slot; return how many are there in another version, and so start as unknown."""
    whole = section.fields
    forms: dict[int, tuple[tuple[Field, ...], list[int], list[memoryview]]] = {
        packed(fields).itemsize: (fields, [], []) for fields in (section.young, whole) if fields
    }
    unknown = 0
    for slot, sections in zip(slots.tolist(), written, strict=True):
        version, data = sections.get(section.name, (None, _NOTHING))
        if version == section.version and len(data) in forms:
            forms[len(data)][1].append(slot)
            forms[len(data)][2].append(data)
        else:
            table.clear(slot, section)
            unknown += section.name in sections
            table.head["unknown"][slot] += section.name in sections
    for fields, known, rows in forms.values():
        values = np.frombuffer(b"".join(rows), packed(fields))
        for field in fields:
            column = table.columns[section.name][field.name]
            if field not in whole:  # the places that were not written are empty
                column[known] = field.initial
            column[places(known, field)] = values[field.name]
    return unknown
