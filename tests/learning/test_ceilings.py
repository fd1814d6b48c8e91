"""Ceilings: what the bisection promises, checked against plain Python."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.evidence import ALTERNATIVES, log_weight
from detector.learning import ceilings
from detector.learning.ceilings import GRID, LIFE, Event, Lives, choose, needed

BOUND = 4.4  # nats


def _lives(hits: npt.NDArray[np.int64], trials: npt.NDArray[np.int64], name: str = "past") -> Lives:
    """Return one event's windows of equal lives: arrays i[clients, windows]."""
    clients, windows = hits.shape
    client = np.repeat(np.arange(clients), windows)
    return ceilings.lives(name, client, _counts(hits), _counts(trials))


def _counts(values: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
    return values.reshape(-1, 1).astype(np.uint16)


def _peak(hits: list[int], trials: list[int], p0: float) -> float:
    """Return the largest value of one client's process, written out plainly."""
    process = [0.0] * len(ALTERNATIVES)
    peak = 0.0
    for window in range(max(LIFE, len(hits))):
        k, n = hits[window % len(hits)], trials[window % len(hits)]
        for at, share in enumerate(ALTERNATIVES):
            q = p0 + (1 - p0) * share
            e = (q / p0) ** k * ((1 - q) / (1 - p0)) ** (n - k)
            process[at] = (process[at] + math.exp(log_weight(window + 1))) * e
        peak = max(peak, sum(process) / len(process))
    return math.log(peak)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 16), st.integers(0, 16)), min_size=1, max_size=12))
def test_smallest_ceiling_that_keeps_the_process_down(counts: list[tuple[int, int]]) -> None:
    """The process stays within the bound at the chosen grid value and passes it one step below."""
    hits, trials = [min(pair) for pair in counts], [max(pair) for pair in counts]
    place = int(needed(_lives(np.array([hits]), np.array([trials])), BOUND)[0, 0])
    if place < len(GRID):
        assert _peak(hits, trials, GRID[place]) <= BOUND + 1e-9
    if place > 0:
        assert _peak(hits, trials, GRID[place - 1]) > BOUND - 1e-9


def _choose(past: Lives, virtual: list[Lives], *, spare: float = 0, counts: bool = True) -> ceilings.Ceilings:
    return choose([Event("x", 0.02, 0.05, counts)], past, virtual, BOUND, spare)


QUIET = _lives(np.zeros((50, 10), np.int64), np.full((50, 10), 8))
LOUD = _lives(np.full((2, 10), 2), np.full((2, 10), 8), "ramp")


def test_floor_holds_where_nothing_happened() -> None:
    """A past that never shows an event gets the floor, and the strong mechanism its own."""
    found = _choose(QUIET, [])
    assert (found.p0["x"], found.strong["x"]) == (0.02, 0.05)


def test_virtual_kind_binds_only_the_events_it_may() -> None:
    """A virtual kind that shows an event raises its ceiling and is named, unless it says nothing of that event."""
    found = _choose(QUIET, [LOUD])
    assert found.p0["x"] > 0.02
    assert found.bound_by == {"x": "ramp"}
    assert found.strong["x"] == pytest.approx(1.5 * found.p0["x"] + 0.02)
    assert _choose(QUIET, [LOUD], counts=False).p0 == {"x": 0.02}


def test_usual_event_is_dropped() -> None:
    """An event that ordinary clients always show is no evidence: it has no ceiling."""
    always = np.full((20, 10), 8)
    found = _choose(_lives(always, always), [])
    assert (found.p0, found.dropped) == ({}, ["x"])


def test_untried_event_is_unknown() -> None:
    """An event that nothing could try is not taken for one that never happens."""
    nothing = np.zeros((20, 10), np.int64)
    found = _choose(_lives(nothing, nothing), [LOUD])
    assert (found.p0, found.untried) == ({}, ["x"])


def test_spare_clients_set_no_ceiling() -> None:
    """In the first pass the most extreme share of the clients is let go."""
    hits = np.zeros((50, 10), np.int64)
    hits[:3] = 8
    assert _choose(_lives(hits, np.full((50, 10), 8)), [], spare=0.08).p0 == {"x": 0.02}
    assert _choose(_lives(hits, np.full((50, 10), 8)), []).dropped == ["x"]
