"""Sign noise of constant size: a query that is its parent plus one step, up here and down there.

What Jacobian-based augmentation (Papernot et al. 2017) and random targeted steps (Juuti et al. 2019) leave behind:
many raw coordinates differ, nearly all by one size, in both directions. Sensor noise differs by many sizes, a
change of brightness in one direction. Inputs of few grey levels differ by one size too, but their own
values lie on that grid.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.compiled import lean
from detector.geometry import COORDS

DIFFERENT: Final = 3  # thousandths: smaller differences are rounding
FULL: Final = 1_000  # thousandths of an image's range
STEP_MIN: Final = 16  # thousandths: a constant step below it can't be told from quantisation
BIN: Final = 1  # thousandths to either side that still count as the same size
SHARE: Final = 0.25  # of the coordinates must differ
MODAL: Final = 0.6  # of those that differ at one size
FOLDS: Final = (1, 3, 5)  # or at so many times one size: five steps towards a class, some of them back
TINTED_MIN: Final = 8  # coordinates that differ at least when a whole image gets brighter or darker
GRID_MIN: Final = 4  # values between the ends that tell of a grid
GRID_SHARE: Final = 0.75  # of them on it: few grey levels, whole numbers
CHANGED_MIN: Final = 16  # coordinates that differ at least: swapped one-hot columns are a few
NUMERIC_MIN: Final = 4  # of a table's numeric columns by themselves; and coordinates at one size at least
NUMERIC_SHARE: Final = 0.5
NUMERIC_MODAL: Final = 0.75
COLUMNS_MIN: Final = 4  # columns that must move alike: an analysis varies one or two, and small whole numbers recur
ALIKE: Final = 0.02  # of a size: a thief estimates the scale that we learnt
MOST: Final = 32_767  # int16
COUNTED: Final = 2_047  # sizes up to it are counted, larger ones compared with each other
BOTH: Final = (0.1, 0.9)  # share of upward steps among those of the modal size


class Room(NamedTuple):
    """Room to work in."""

    steps: npt.NDArray[np.int32]  # [64] how far each coordinate moved; 0 for an image's pixel at an end: it was clipped
    sizes: npt.NDArray[np.int32]  # [64] of those steps that are no rounding
    counts: npt.NDArray[np.int16]  # zeros, for each size up to COUNTED


def room() -> Room:
    """Return room to work in."""
    return Room(np.empty(COORDS, np.int32), np.empty(COORDS, np.int32), np.zeros(COUNTED + 1, np.int16))


@lean
def moved(child: Any, parent: Any, kind: tuple[int, bool], room: Any) -> tuple[int, int, int, int]:
    """Look how i2[64] `child` departs from `parent`; `kind`: coordinates in use, whether an image.

    Returns the moves: how many steps `room` now has, how many of them are no rounding, the commonest size of these,
    and how many have it. They hold until `room` is used again.
    """
    coords, image = kind
    for place in range(coords):
        cut = image and not 0 < child[place] < FULL
        room.steps[place] = 0 if cut else np.int32(child[place]) - np.int32(parent[place])
    return _summed(coords, room)


@lean
def constant_step(moves: Any, parent: Any, numeric: int, room: Any) -> bool:
    """Tell whether the moves from `parent` are sign noise; `numeric` first coordinates are a table's numbers.

    The moves are void after it.
    """
    if _sign_noise(moves, parent, (max(CHANGED_MIN, SHARE * moves[0]), MODAL, True), room):
        return True
    if numeric < NUMERIC_MIN:
        return False
    shares = (max(NUMERIC_MIN, NUMERIC_SHARE * numeric), NUMERIC_MODAL, False)
    return _sign_noise(_summed(numeric, room), parent, shares, room)


@lean
def brightness(moves: Any, room: Any) -> int:
    """Return by how much (thousandths, signed) an image got evenly brighter or darker; 0: it did not."""
    coords, different, mode, at_mode = moves
    if different < TINTED_MIN or mode < STEP_MIN or at_mode <= NUMERIC_MODAL * different:
        return 0
    up = _upward(room.steps[:coords], mode)
    if BOTH[0] <= up / at_mode <= BOTH[1]:
        return 0
    return int(mode if up > 0 else -mode)


@lean
def same_step(child: Any, parent: Any, last: Any, numeric: int) -> bool:
    """Tell whether a table's numeric columns moved from the parent by as much, each, as before, some the other way.

    A thief's step is one size on its own scale, which is another size in each column here; a retry or a sweep moves
    the same way again. Writes this step into `last` i2[64] where enough columns moved.
    """
    changed, alike, turned = 0, 0, 0
    for place in range(numeric):
        step = np.int64(child[place]) - parent[place]
        size, before = abs(step), abs(np.int64(last[place]))
        same = size >= STEP_MIN and abs(size - before) <= max(BIN, ALIKE * before)
        changed += size > DIFFERENT
        alike += same
        turned += same and (step > 0) != (last[place] > 0)
    if changed < max(COLUMNS_MIN, NUMERIC_SHARE * numeric):
        return False
    for place in range(numeric):
        step = np.int64(child[place]) - parent[place]
        if abs(step) > DIFFERENT:
            last[place] = max(min(step, MOST), -MOST)
    return alike >= max(COLUMNS_MIN, NUMERIC_MODAL * changed) and 0 < turned < alike


@lean
def _sign_noise(moves: Any, parent: Any, shares: tuple[float, float, bool], room: Any) -> bool:
    (coords, different, mode, at_mode), (least, share, or_multiples) = moves, shares
    if different < least or mode < STEP_MIN or at_mode < NUMERIC_MIN:
        return False
    if not BOTH[0] <= _upward(room.steps[:coords], mode) / at_mode <= BOTH[1]:
        return False
    if at_mode > share * different or (or_multiples and _multiples(room.sizes[:different], mode) > share * different):
        return not _on_grid(parent[:coords], mode)
    return False


@lean
def _summed(coords: int, room: Any) -> tuple[int, int, int, int]:
    different = 0
    for step in room.steps[:coords]:  # no branch, for half of them would be guessed wrong
        room.sizes[different] = abs(step)
        different += abs(step) > DIFFERENT
    mode, at_mode = _modal(room.sizes[:different], room.counts)
    return coords, different, mode, at_mode


@lean
def _upward(steps: Any, mode: int) -> int:
    """Return how many steps of the commonest size go up."""
    up = 0
    for step in steps:
        up += abs(step - mode) <= BIN
    return up


@lean
def _multiples(size: Any, mode: int) -> int:
    """Return how many sizes are odd multiples of one step: a walk of several steps of one size, some of them back.

    The commonest size is the step itself, three or five of it.
    """
    most = 0
    for fold in FOLDS:
        step = mode / fold
        if step < STEP_MIN:
            break
        count = 0
        for times in FOLDS:  # a size is at most at one of them: they are further apart than two bins
            for value in size:
                count += abs(value - times * step) <= BIN
        most = max(most, count)
    return most


@lean
def _on_grid(parent: Any, mode: int) -> bool:
    """Tell whether the parent's own values between the ends lie on a grid of that size: then every difference does."""
    low, high, between, on = parent[0], parent[0], 0, 0
    for value in parent:
        low, high = min(low, value), max(high, value)
    for value in parent:
        if low + DIFFERENT < value < high - DIFFERENT:
            between += 1
            away = (value - low) % mode
            on += min(away, mode - away) <= BIN
    return between >= GRID_MIN and on >= GRID_SHARE * between


@lean
def _modal(size: Any, counts: Any) -> tuple[int, int]:
    """Return the commonest size, of equals the smallest, and how many have it within a bin to either side.

    `counts` holds zeros, before and after. Sizes beyond it are few: an image's range is 1,000.
    """
    largest = 0
    for value in size:
        largest = max(largest, value)
    if largest + BIN >= counts.shape[0]:
        return _modal_compared(size)
    for value in size:
        counts[value] += 1
    mode, most = 0, 0
    for value in size:
        alike = 0
        for near in range(value - BIN, value + BIN + 1):
            alike += counts[near]
        if alike > most or (alike == most and value < mode):
            mode, most = value, alike
    for value in size:
        counts[value] = 0
    return mode, most


@lean
def _modal_compared(size: Any) -> tuple[int, int]:
    """Return the same, all compared with all."""
    mode, most = 0, 0
    for at in range(size.shape[0]):
        value, alike = size[at], 0
        for other in range(size.shape[0]):
            alike += abs(size[other] - value) <= BIN
        if alike > most or (alike == most and value < mode):
            mode, most = value, alike
    return mode, most
