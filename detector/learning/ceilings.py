"""Ceilings: for each event the smallest p0 under which no ordinary client's evidence comes near a block.

Calibrating the largest value that the e-process itself reaches holds clumping, drift and the worst client of the
worst kind; a rate of hits would not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector.compiled import compiled
from detector.evidence import advance, log_mean

_FINE: Final = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.15, 0.18, 0.2, 0.23, 0.25, 0.28)
_COARSE: Final = (0.3, 0.33, 0.38, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
GRID: Final = np.array([*_FINE, *_COARSE])
DROPPED: Final = 0.9  # at the top of the grid an event that is always true still gains evidence for ever
LIFE: Final = 125  # windows (2,000 queries) that every life is repeated up to
LIFE_MAX: Final = 500  # windows of one client that are looked at
STRONG_FACTOR: Final = 1.5
STRONG_ROOM: Final = 0.02

Counts = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Lives:
    """Closed windows of a group of clients, client after client, each client's in order."""

    group: str  # "past" or a virtual kind's name
    begin: npt.NDArray[np.int64]  # [clients + 1] where each client's windows begin
    hits: Counts  # [windows, E]
    trials: Counts  # [windows, E]

    @property
    def clients(self) -> int:
        """How many clients have a closed window."""
        return len(self.begin) - 1


def lives(group: str, client: npt.NDArray[Any], hits: Counts, trials: Counts) -> Lives:
    """Sort closed windows by client, keeping each client's order. `client` i[windows]."""
    order = np.argsort(client, kind="stable")
    ordered = client[order]
    begin = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else np.zeros(0, np.int64)
    return Lives(group, np.r_[begin, len(order)].astype(np.int64), hits[order], trials[order])


def needed(group: Lives, bound: float) -> npt.NDArray[np.int64]:
    """Return for each client and event the place in GRID of the smallest p0 that keeps its process within `bound`.

    i[clients, E]; len(GRID) where none does. `bound` in nats. An event's process falls as p0 grows (each
    window's log e does), so bisection over the grid is exact.
    """
    out = np.zeros((group.clients, group.hits.shape[1]), np.int64)
    _bisect((group.begin, group.hits, group.trials), bound, GRID, out)
    return out


@compiled
def _bisect(counts: Any, bound: float, grid: Any, out: Any) -> None:
    begin, hits, trials = counts
    for client in range(len(begin) - 1):
        first, last = begin[client], min(begin[client + 1], begin[client] + LIFE_MAX)
        for event in range(hits.shape[1]):
            out[client, event] = _place(hits[first:last, event], trials[first:last, event], bound, grid)


@compiled
def _place(hits: Any, trials: Any, bound: float, grid: Any) -> int:
    if hits.sum() == 0:
        return 0
    process = np.zeros(3)
    low, high = 0, len(grid)
    while low < high:
        middle = (low + high) // 2
        if _peak(process, hits, trials, grid[middle], bound) <= bound:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _peak(process: Any, hits: Any, trials: Any, p0: float, bound: float) -> float:
    process[:] = -np.inf
    peak = -np.inf
    for window in range(max(len(hits), LIFE)):
        at = window % len(hits)
        advance(process, hits[at], trials[at], p0, window + 1)
        peak = max(peak, log_mean(process))
        if peak > bound:
            break
    return peak


@dataclass(frozen=True, slots=True)
class Event:
    """What calibration must know of an event: see `detector.signals`."""

    name: str
    floor: float
    strong: float | None
    virtual: bool  # virtual kinds calibrate it too


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What calibration found."""

    p0: Mapping[str, float]
    strong: Mapping[str, float]
    bound_by: Mapping[str, str]  # event -> the virtual kind that sets its ceiling
    dropped: Sequence[str]  # too usual among ordinary clients
    untried: Sequence[str]  # nothing in the past could try them


def choose(events: Sequence[Event], past: Lives, virtual: Sequence[Lives], bound: float, spare: float = 0) -> Ceilings:
    """Return the ceilings that keep all clients, real and virtual, within `bound` nats.

    `spare` is the share of past clients, the most extreme for each event, that need not be kept: they may be
    poisoned. An event that nothing in the past could try has no ceiling: unknown is not normal.
    """
    own = needed(past, bound)
    worst = np.sort(own, axis=0)[-1 - int(spare * len(own))] if len(own) else np.zeros(len(events), np.int64)
    copies = {group.group: needed(group, bound).max(0, initial=0) for group in virtual}
    tried = past.trials.sum(0) > 0
    p0, strong, bound_by, dropped, untried = {}, {}, {}, [], []
    for at, event in enumerate(events):
        place, by = int(worst[at]), ""
        for name, found in copies.items():
            if event.virtual and found[at] > place:
                place, by = int(found[at]), name
        ceiling = max(GRID[min(place, len(GRID) - 1)], event.floor)
        if not tried[at]:
            untried.append(event.name)
        elif place >= np.searchsorted(GRID, DROPPED):
            dropped.append(event.name)
        else:
            p0[event.name] = float(ceiling)
            if by and GRID[place] > event.floor:
                bound_by[event.name] = by
        if event.name in p0 and event.strong is not None:
            strong[event.name] = min(max(event.strong, STRONG_FACTOR * p0[event.name] + STRONG_ROOM), 0.95)
    return Ceilings(p0, strong, bound_by, dropped, untried)
