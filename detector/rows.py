"""Rows: sections of clients' slots as bytes, moved by one compiled loop that is told which bytes of which columns.

A client's columns lie far apart: moved field by field with numpy, they cost ten times as much as their bytes
(docs/decisions/0035). Numbers are written as they lie in memory, little endian.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.compiled import lean
from detector.sections import EVIDENCE, PER_EVENT, PER_SIGNAL, Section
from detector.signals import SPANS
from detector.signals.base import Field

Bytes = npt.NDArray[np.uint8]
Columns = Mapping[str, Mapping[str, npt.NDArray[Any]]]
FROM: Final = 1  # the first section that is moved: the head is read and written by name


class Form(NamedTuple):
    """One way in which a section is written."""

    size: int  # bytes
    parts: npt.NDArray[np.int64]  # [p, 3] which of the columns, its first byte, how many bytes
    whole: bool  # else the columns have more than is written, which is empty


def columns(sections: Sequence[Section], held: Columns, evidence: Mapping[str, npt.NDArray[Any]]) -> tuple[Bytes, ...]:
    """Return the columns as u1[slots, bytes]: those of all evidence, then each section's own."""
    arrays = [evidence[field.name] for field in EVIDENCE if evidence]
    arrays += [held[section.name][field.name] for section in sections[FROM:] for field in section.own]
    return tuple(array.view(np.uint8).reshape(len(array), -1) for array in arrays)


def forms(sections: Sequence[Section]) -> dict[str, tuple[Form, ...]]:
    """Return by section how it may be written: in whole and, if there is such a form, as a young client's."""
    found: dict[str, tuple[Form, ...]] = {}
    at = len(EVIDENCE) if any(section.evidence for section in sections) else 0
    for section in sections[FROM:]:
        parts = [(at + place, 0, _size(field)) for place, field in enumerate(section.own)]
        young = [(at + place, 0, _size(field)) for place, field in enumerate(section.young)]
        whole = _form(parts + (_of_evidence(section) if section.evidence else []), True)
        found[section.name] = (whole, _form(young, False)) if young else (whole,)
        at += len(section.own)
    return found


def read(held: tuple[Bytes, ...], of: Sequence[Form], slots: npt.NDArray[np.intp]) -> list[list[memoryview]]:
    """Return each slot's sections in these forms."""
    ends = list(accumulate((form.size for form in of), initial=0))
    rows = np.empty((len(slots), ends[-1]), np.uint8)
    _move(held, np.concatenate([form.parts for form in of]), slots, (rows, True))
    views = [row.data for row in rows]
    return [[view[first:end] for first, end in pairwise(ends)] for view in views]


def write(held: tuple[Bytes, ...], form: Form, slots: npt.NDArray[np.intp], rows: Sequence[memoryview]) -> None:
    """Put a section's bytes into each slot."""
    given = np.frombuffer(bytearray().join(rows), np.uint8).reshape(len(rows), form.size)
    _move(held, form.parts, slots, (given, False))


def _form(parts: list[tuple[int, int, int]], whole: bool) -> Form:
    return Form(sum(size for _, _, size in parts), np.array(parts, np.int64), whole)


def _size(field: Field) -> int:
    return math.prod(field.shape) * np.dtype(field.dtype).itemsize


def _of_evidence(section: Section) -> list[tuple[int, int, int]]:
    """Return where a signal's part of the evidence lies: the events side by side, field by field."""
    at, start, stop = SPANS[section.name]
    events = [(_size(field), start, stop) for field in PER_EVENT]
    each = [*events, *((_size(field), at, at + 1) for field in PER_SIGNAL)]
    return [(column, size * first, size * (last - first)) for column, (size, first, last) in enumerate(each)]


@lean
def _move(held: Any, parts: Any, slots: Any, rows: Any) -> None:
    """Copy the parts of each slot to its row, one after the other, or back from there."""
    given, out = rows
    for row in range(slots.shape[0]):
        at = 0
        for part in range(parts.shape[0]):
            first, size = parts[part, 1], parts[part, 2]
            there = held[parts[part, 0]][slots[row], first : first + size]
            here = given[row, at : at + size]
            _copy(there, here) if out else _copy(here, there)
            at += size


@lean
def _copy(source: Any, to: Any) -> None:
    for at in range(to.shape[0]):
        to[at] = source[at]
