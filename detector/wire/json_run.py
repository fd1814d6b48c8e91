"""A run of JSON records: once each is parsed, its members are checked together with those of all the others.

That only tells which of them surely keep the rules. The others are checked alone (`json_record`), which words the
reasons.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from detector.wire.facts import DAY, TIME_MAX, TIME_MIN, Fault, RawRecord, client_name, model_name, tenant_name
from detector.wire.json_record import Json, checked, id_length, parse, parse_all, status, usable
from detector.wire.time_column import time_column

T = TypeVar("T")
Times = npt.NDArray[np.int64]
_NOTHING = Json(id="", time="1970-01-01T00:00:00.000000Z", model="", client="")  # where a record cannot be parsed


def read_run(raws: Sequence[RawRecord], limit: int) -> tuple[list[Json], Times, dict[int, str]]:
    """Return members and time (µs since 1970 UTC) of each record, and the reason of each row that is unreadable."""
    read, faults = _parsed(raws, limit)
    time = time_column([one.time for one in read])
    for row in [row for row in _doubtful(read, time, raws) if row not in faults]:
        try:
            time[row] = checked(read[row], raws[row].broker_time)
        except Fault as fault:
            faults[row] = str(fault)
    return read, time, faults


def _parsed(raws: Sequence[RawRecord], limit: int) -> tuple[list[Json], dict[int, str]]:
    """Return the members of each record, and why there are none.

    Not of many at once by `decode_lines`: that is no faster, and takes two values in one line for two lines.
    """
    with suppress(Fault):
        return parse_all(raws, limit), {}
    read: list[Json] = []
    faults: dict[int, str] = {}
    for row, raw in enumerate(raws):
        try:
            read.append(parse(usable(raw, limit)))
        except Fault as fault:
            read.append(_NOTHING)
            faults[row] = str(fault)
    return read, faults


def _doubtful(read: Sequence[Json], time: Times, raws: Sequence[RawRecord]) -> list[int]:
    """Return the rows that do not surely keep all rules."""
    doubtful = (time < TIME_MIN) | (time >= TIME_MAX) | (time > _latest(raws))
    for rows in _against_rules(read):
        doubtful[rows] = True
    return list(np.flatnonzero(doubtful).tolist())


def _latest(raws: Sequence[RawRecord]) -> Times:
    """Return the latest time that each query may have; a broker may state what no int64 holds."""
    stated = [raw.broker_time for raw in raws]
    return np.array([TIME_MAX if time is None or time >= TIME_MAX else time + DAY for time in stated], np.int64)


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
