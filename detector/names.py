"""Names: what a query is called when people are told of it, so that they find its record.

Arrays of names are i8[..., 5]: the client's own number of the query (1, 2, … of its readable ones; 0: no query), its
event time in µs, its label (-1 unknown) and the 16 bytes of its id as two numbers.
"""

import uuid
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detector.query import Queries
from detector.wire.ids import CROCKFORD, OPAQUE

NUMBER, TIME, LABEL, ID = 0, 1, 2, 3
WIDTH: Final = 5
NOBODY: Final = 0  # the number of no query

Names = npt.NDArray[np.int64]

_DAY: Final = 86_400_000  # ms
_UUID_VERSIONS: Final = range(1, 8)
_TIMED_UUID: Final = 7  # begins with a time, as ULIDs do


@dataclass(frozen=True, slots=True)
class Name:
    """One query, as people and logs call it."""

    number: int  # 1, 2, … of the client's readable queries with the model
    time: int  # µs since 1970 UTC
    label: int | None  # None: unknown, or an opaque label, whose text is not kept
    id: str  # see `id_text`

    def __str__(self) -> str:
        return f"query {self.number}{'' if self.label is None else f' (label {self.label})'}"


def of(queries: Queries, number: npt.NDArray[np.int64]) -> Names:
    """Return the names i8[n, 5] of queries that have these numbers."""
    out = np.empty((len(number), WIDTH), np.int64)
    out[:, NUMBER], out[:, TIME], out[:, LABEL] = number, queries.time, queries.label
    out[:, ID:] = queries.id.astype(np.uint64).view(np.int64)
    return out


def blank(*shape: int) -> Names:
    """Return names of nobody."""
    return np.zeros((*shape, WIDTH), np.int64)


def read(name: Names) -> Name:
    """Return one name i8[5] for people."""
    number, time, label = (int(value) for value in name[:ID])
    told = label if 0 <= label < OPAQUE else None  # from there on labels are codes of texts that were not kept
    return Name(number, time, told, id_text(name[ID:].astype("<i8").tobytes(), time))


def id_text(data: bytes, time: int) -> str:
    """Return 16 bytes of an id as text, by their looks: a ULID, a UUID, else 32 hexadecimal digits.

    A ULID and a UUID of version 7 begin with their time in ms, which is near the query's `time` (µs). The digits are
    the BLAKE2b-128 of any other id: `printf %s ID | b2sum -l 128`.
    """
    near = abs(int.from_bytes(data[:6], "big") - time // 1_000) <= _DAY
    found = uuid.UUID(bytes=data)
    if near and found.version != _TIMED_UUID:
        return _ulid(found.int)
    return str(found) if found.version in _UUID_VERSIONS else found.hex


def _ulid(value: int) -> str:
    return "".join(CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))
