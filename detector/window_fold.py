"""Cutting windows: every W scored queries of a client, counted by the client alone, never by the batch.

The open window holds counts of events, labels and cells for the entropies, and the motion of the inputs. When it
closes it becomes one row of `Cut`.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.compiled import lean
from detector.geometry import SKETCH
from detector.signals.base import Columns, Field

MOVING = 0.7  # of the spread within the window: a mean that moves so far is no camera on one scene
MANY = 2  # known values without which there is no entropy
KNOWN = 0.5  # share of a window's queries that must be known for an entropy or a mean


def fields(window: int) -> tuple[Field, ...]:
    """Return what is held of an open window of `window` queries."""
    return (
        Field("filled", "i8"),
        Field("labels", "i8", (window,), -1),
        Field("cells", "i4", (window,), -1),
        Field("margin", "f8"),  # sum
        Field("margins", "i8"),  # how many were known
        Field("total", "f8", (SKETCH,)),  # sum of z
        Field("square", "f8"),  # sum of |z|^2
        Field("inputs", "i8"),
        Field("before", "f8", (SKETCH,)),  # mean z of the window before
        Field("has_before", "b1"),
    )


class Open(NamedTuple):
    """The columns of `fields`."""

    filled: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int32]
    margin: npt.NDArray[np.float64]
    margins: npt.NDArray[np.int64]
    total: npt.NDArray[np.float64]
    square: npt.NDArray[np.float64]
    inputs: npt.NDArray[np.int64]
    before: npt.NDArray[np.float64]
    has_before: npt.NDArray[np.bool_]


class Tally(NamedTuple):
    """Hits and trials: the open windows' i8[slots, E], and those of the queries that come in b1[n, E]."""

    open_hits: npt.NDArray[np.int64]
    open_trials: npt.NDArray[np.int64]
    hit: npt.NDArray[np.bool_]
    trial: npt.NDArray[np.bool_]
    moving: npt.NDArray[np.bool_]  # [E] events that count in moving windows only
    rated: npt.NDArray[np.int64]  # events whose rates open a window row


class Seen(NamedTuple):
    """What else of the queries a window holds, [n] rows."""

    slot: npt.NDArray[np.int64]
    has_input: npt.NDArray[np.bool_]
    label: npt.NDArray[np.int64]
    cell: npt.NDArray[np.int32]
    margin: npt.NDArray[np.float32]
    z: npt.NDArray[np.float32]


class Cut(NamedTuple):
    """Closed windows, in the order of their closing rows. [m] rows."""

    slot: npt.NDArray[np.int64]
    window: npt.NDArray[np.int64]  # 0, 1, … of the client
    row: npt.NDArray[np.int64]  # the query that closed it
    hits: npt.NDArray[np.uint16]  # [m, E]
    trials: npt.NDArray[np.uint16]  # [m, E]
    rows: npt.NDArray[np.float32]  # [m, R] rates of the rated events, label and cell entropy, mean margin; NaN unknown


def closings(columns: Columns, slot: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    """Return for each query which of the windows that close in this batch it closes, i8[n], -1: none; and how many."""
    window = columns["labels"].shape[1]
    out = np.empty(len(slot), np.int64)
    return out, _closings(columns["filled"], slot, window, out)


@lean
def _closings(filled: Any, slot: Any, window: int, out: Any) -> int:
    """Count on, then back: a copy of what is `filled` would cost more the more clients there are."""
    closed = 0
    for row in range(slot.shape[0]):
        out[row] = -1
        filled[slot[row]] += 1
        if filled[slot[row]] >= window:
            filled[slot[row]] = 0
            out[row] = closed
            closed += 1
    for row in range(slot.shape[0] - 1, -1, -1):
        filled[slot[row]] = window - 1 if out[row] >= 0 else filled[slot[row]] - 1
    return closed


def cut(columns: Columns, windows: npt.NDArray[np.int64], queries: tuple[Seen, Tally], closing: int) -> Cut:
    """Add the queries to their clients' open windows and return those that close, of which there are so many."""
    seen, tally = queries
    events = tally.hit.shape[1]
    slot, window, row = np.zeros((3, closing), np.int64)
    hits, trials = np.zeros((2, closing, events), np.uint16)
    out = Cut(slot, window, row, hits, trials, np.full((closing, tally.rated.shape[0] + 3), np.nan, np.float32))
    _fold(Open(*(columns[name] for name in Open._fields)), windows, seen, tally, out)
    return out


@lean
def _fold(held: Open, windows: Any, seen: Seen, tally: Tally, out: Cut) -> None:
    closed = 0
    for row in range(seen.slot.shape[0]):
        slot = seen.slot[row]
        _add(held, seen, row)
        for event in range(tally.hit.shape[1]):
            tally.open_hits[slot, event] += tally.hit[row, event]
            tally.open_trials[slot, event] += tally.trial[row, event]
        if held.filled[slot] < held.labels.shape[1]:
            continue
        out.slot[closed], out.window[closed], out.row[closed] = slot, windows[slot], row
        _close(held, slot, tally, out, closed)
        windows[slot] += 1
        closed += 1


@lean
def _add(held: Open, seen: Seen, row: int) -> None:
    slot = seen.slot[row]
    place = held.filled[slot]
    held.labels[slot, place] = seen.label[row]
    held.cells[slot, place] = seen.cell[row]
    held.filled[slot] = place + 1
    if not np.isnan(seen.margin[row]):
        held.margin[slot] += seen.margin[row]
        held.margins[slot] += 1
    if not seen.has_input[row]:
        return
    held.inputs[slot] += 1
    for axis in range(SKETCH):
        value = np.float64(seen.z[row, axis])
        held.total[slot, axis] += value
        held.square[slot] += value * value


@lean
def _close(held: Open, slot: int, tally: Tally, out: Cut, at: int) -> None:
    moved = _moved(held, slot)
    for event in range(tally.moving.shape[0]):
        counts = moved or not tally.moving[event]
        out.hits[at, event] = tally.open_hits[slot, event] if counts else 0
        out.trials[at, event] = tally.open_trials[slot, event]
        tally.open_hits[slot, event] = 0
        tally.open_trials[slot, event] = 0
    for place in range(tally.rated.shape[0]):
        hits, trials = out.hits[at, tally.rated[place]], out.trials[at, tally.rated[place]]
        if trials > 0:
            out.rows[at, place] = np.float64(hits) / np.float64(trials)
    ends = out.rows[at, tally.rated.shape[0] :]
    ends[0] = _entropy(held.labels[slot])
    ends[1] = _entropy(held.cells[slot])
    if held.margins[slot] >= KNOWN * held.filled[slot]:
        ends[2] = held.margin[slot] / held.margins[slot]
    held.margin[slot], held.margins[slot], held.filled[slot] = 0.0, 0, 0


@lean
def _moved(held: Open, slot: int) -> bool:
    """Tell whether the mean input moved on since the window before; then begin the next window's sums."""
    count = held.inputs[slot]
    if count == 0:
        return False
    way, norm = 0.0, 0.0
    for axis in range(SKETCH):
        mean = held.total[slot, axis] / count
        way += (mean - held.before[slot, axis]) ** 2
        norm += mean * mean
        held.before[slot, axis] = mean
        held.total[slot, axis] = 0.0
    spread = max(held.square[slot] / count - norm, 0.0)
    moved = held.has_before[slot] and np.sqrt(way) > MOVING * np.sqrt(spread)
    held.square[slot], held.inputs[slot], held.has_before[slot] = 0.0, 0, True
    return bool(moved)


@lean
def _entropy(values: Any) -> float:
    """Return the entropy of the known values over that of as many different ones, 0..1; NaN when few are known."""
    known, total = 0, 0.0
    for value in values:
        known += value >= 0
    if known < MANY or known < KNOWN * values.shape[0]:
        return np.nan
    for value in values:
        same = 0
        for other in values:
            same += other == value
        if value >= 0:
            total += np.log(known / same)  # each of the `same` equal ones adds 1/known of it
    return float(total / known / np.log(known))
