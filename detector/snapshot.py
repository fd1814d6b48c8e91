"""Snapshots: a client's slot as bytes, so that idle clients leave memory and a restart loses nothing.

    lz4(msgpack {"v": 1, "head": {field: number}, "sections": {name: [version, bytes]}})

As an lz4 frame; one written by an earlier release is a zstd frame, twice as slow to make for a seventh less of it.

The head is read by name, whatever version wrote it. A section of another version or size starts as
unknown and is counted: an upgrade that changes one signal loses that signal's memory only.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import lz4.frame
import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from detector import rows
from detector.clients import Table
from detector.memory import YOUNG
from detector.sections import HEAD, Section

VERSION: Final = 1
LARGEST: Final = 1 << 22  # bytes that unpack() accepts: many times a slot
_NOTHING: Final = memoryview(b"")
ZSTD: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1
Slots = npt.NDArray[np.intp]
AT_ONCE: Final = 32  # slots turned into bytes together: their scratch memory stays in the cache


class BadSnapshot(ValueError):  # noqa: N818  # named for what it says to the operator
    """A snapshot that cannot be read; the message says what is wrong with it."""


class _Document(msgspec.Struct):
    head: dict[str, int | float]
    sections: dict[str, tuple[int, memoryview]]  # the bytes are looked at where they lie


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Document)


class Held(NamedTuple):
    """A snapshot, and the slot that it goes to."""

    slot: int
    data: bytes
    same_population: bool


def pack(table: Table, slots: Sequence[int]) -> Iterator[bytes]:
    """Yield clients' slots as bytes, in the order given."""
    room = bytearray()  # used again and again: one that grows from nothing costs six times as much as what is written
    for start in range(0, len(slots), AT_ONCE):
        some = np.array(slots[start : start + AT_ONCE])
        heads = zip(*(table.head[field.name][some].tolist() for field in HEAD), strict=True)
        for head, written in zip(heads, _sections(table, some), strict=True):
            document = {
                "v": VERSION,
                "head": {field.name: value for field, value in zip(HEAD, head, strict=True)},
                "sections": {
                    section.name: [section.version, row]
                    for section, row in zip(table.sections[1:], written, strict=True)
                },
            }
            _ENCODER.encode_into(document, room)
            yield lz4.frame.compress(room)


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


def _sections(table: Table, slots: Slots) -> list[list[memoryview]]:
    """Return the sections of each slot; the memory of a client of whom few queries are remembered is short."""
    whole, short = zip(*((forms[0], forms[-1]) for forms in table.forms.values()), strict=True)
    if table.light:
        return rows.read(table.bytes, whole, slots)
    young = table.columns["memory"]["kept"][slots] <= YOUNG
    few, many = iter(rows.read(table.bytes, short, slots[young])), iter(rows.read(table.bytes, whole, slots[~young]))
    return [next(few if one else many) for one in young.tolist()]


def _take(table: Table, slots: Slots, section: Section, written: Sequence[Mapping[str, tuple[int, memoryview]]]) -> int:
    """Read one section of each slot; return how many are there in another version, and so start as unknown."""
    forms: dict[int, tuple[rows.Form, list[int], list[memoryview]]] = {
        form.size: (form, [], []) for form in table.forms[section.name]
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
    for form, known, given in forms.values():
        for slot in () if form.whole else known:
            table.clear(slot, section)
        rows.write(table.bytes, form, np.array(known, np.intp), given)
    return unknown
