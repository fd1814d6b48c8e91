"""Snapshots: a client's slot as bytes, so that idle clients leave memory and a restart loses nothing.

    zstd(msgpack {"v": 1, "head": {field: number}, "sections": {name: [version, bytes]}})

The head is read by name, whatever version wrote it. A section of another version or size starts as
unknown and is counted: an upgrade that changes one signal loses that signal's memory only.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
import zstandard

from detector.clients import HEAD, Section, Table

VERSION: Final = 1
LARGEST: Final = 1 << 22  # bytes that unpack() accepts: many times a slot


class BadSnapshot(ValueError):  # noqa: N818  # named for what it says to the operator
    """A snapshot that cannot be read; the message says what is wrong with it."""


def pack(table: Table, slot: int) -> bytes:
    """Return one client's slot as bytes."""
    head = {field.name: table.head[field.name][slot].item() for field in HEAD}
    sections = {section.name: [section.version, _bytes(table, slot, section)] for section in table.sections[1:]}
    document = {"v": VERSION, "head": head, "sections": sections}
    return zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(document))


def unpack(table: Table, slot: int, data: bytes, same_population: bool) -> int:
    """Read a slot from bytes and return how many sections start as unknown.

    Seen through another population, only the head and the heard ids are taken. Raises BadSnapshot.
    """
    try:
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=LARGEST)
        document = msgspec.msgpack.decode(raw)
        head, sections = document["head"], document["sections"]
    except (zstandard.ZstdError, msgspec.MsgspecError, KeyError, TypeError) as error:
        raise BadSnapshot(f"snapshot: not a client's snapshot ({error})") from error
    for field in HEAD:
        table.head[field.name][slot] = head.get(field.name, field.initial)
    unknown = sum(_take(table, slot, section, sections) for section in table.sections[1:])
    table.head["unknown"][slot] += unknown
    if not same_population:
        table.forget(slot)
    return unknown


def _bytes(table: Table, slot: int, section: Section) -> bytes:
    row = np.zeros((), section.dtype)
    for field in section.fields:
        row[field.name] = table.columns[section.name][field.name][slot]
    return row.tobytes()


def _take(table: Table, slot: int, section: Section, sections: Mapping[str, Any]) -> bool:
    """Read one section; tell whether it is there in another version, and so starts as unknown."""
    version, data = sections.get(section.name, (None, b""))
    if version != section.version or len(data) != section.dtype.itemsize:
        table.clear(slot, section)
        return section.name in sections
    row = np.frombuffer(data, section.dtype)[0]
    for field in section.fields:
        table.columns[section.name][field.name][slot] = row[field.name]
    return False
