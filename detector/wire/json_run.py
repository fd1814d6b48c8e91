"""A run of JSON records read together: each step is done for all of them at once, in half the time.

It only tells which records are surely readable. The others are read alone (`json_record`), which words the reasons.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from detector.wire.facts import DAY, TIME_MAX, TIME_MIN, Fault, RawRecord, client_name, model_name, tenant_name
from detector.wire.json_record import DECODER, Json, id_length, status
from detector.wire.time_column import time_column

T = TypeVar("T")
_DOUBTFUL = Json(id="", time="", model="", client="")  # breaks the rules, so that the record is read alone
_NO_JSON = b" "  # the same of a value


def read_run(raws: Sequence[RawRecord], limit: int) -> tuple[list[Json], npt.NDArray[np.int64], list[int]]:
    """Return members and time (µs since 1970 UTC) of each record, and the rows that have to be read alone instead."""
    read = _parsed([_line(raw, limit) for raw in raws])
    time = time_column([one.time for one in read])
    latest = np.array([_latest(raw.broker_time) for raw in raws], np.int64)
    alone = (time < TIME_MIN) | (time >= TIME_MAX) | (time > latest)
    for rows in _against_rules(read):
        alone[rows] = True
    return read, time, np.flatnonzero(alone).tolist()


def _line(raw: RawRecord, limit: int) -> bytes:
    """Return the value as a line; a line feed in it would be one too many."""
    value = raw.value
    if value is None or raw.fault is not None or len(value) > limit or b"\n" in value:
        return _NO_JSON
    return value


def _parsed(lines: Sequence[bytes]) -> list[Json]:
    """Return the members of each line; where one of them cannot be parsed the halves are tried.

    No line holds a line feed and between two values there must be one: as many values as lines are one of each.
    """
    text = b"\n".join(lines)
    try:
        if not text.isascii():
            text.decode()  # as of a single record
        read = DECODER.decode_lines(text)
    except (ValueError, RecursionError):
        read = []
    if len(read) == len(lines):
        return read
    if len(lines) == 1:
        return [_DOUBTFUL]
    half = len(lines) // 2
    return [*_parsed(lines[:half]), *_parsed(lines[half:])]


def _latest(broker_time: int | None) -> int:
    """Return the latest time that a query may have."""
    return TIME_MAX if broker_time is None or broker_time >= TIME_MAX else broker_time + DAY


def _against_rules(read: Sequence[Json]) -> Iterator[list[int]]:
    yield _breaking(client_name, [one.client for one in read])
    yield _breaking(tenant_name, [one.tenant for one in read])
    yield _breaking(model_name, [one.model for one in read])
    yield _breaking(id_length, [len(one.id) for one in read])
    yield _breaking(status, [one.status for one in read])


def _breaking(rule: Callable[[T], T], column: Sequence[T]) -> list[int]:
    """Return the rows whose value breaks the rule, which is asked once for each distinct one: they repeat."""
    wrong = {value for value in set(column) if not _keeps(rule, value)}
    return [row for row, value in enumerate(column) if value in wrong] if wrong else []


def _keeps(rule: Callable[[T], T], value: T) -> bool:
    try:
        rule(value)
    except Fault:
        return False
    return True
