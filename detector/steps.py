"""Sign noise of constant size: a query that is its parent plus one step, up here and down there.

What Jacobian-based augmentation (Papernot et al. 2017) and random targeted steps (Juuti et al. 2019) leave behind:
many raw coordinates differ, nearly all by one size, in both directions. Sensor noise differs by many sizes, a
change of brightness in one direction.
"""

from typing import Any, Final

import numpy as np

from detector.compiled import compiled

DIFFERENT: Final = 3  # thousandths: smaller differences are rounding
STEP_MIN: Final = 16  # thousandths: a constant step below it can't be told from quantisation
BIN: Final = 1  # thousandths to either side that still count as the same size
SHARE: Final = 0.25  # of the coordinates must differ
MODAL: Final = 0.6  # of those that differ at one size
SIZES: Final = 5  # or at most so many distinct sizes
CHANGED_MIN: Final = 16  # coordinates that differ at least: swapped one-hot columns are a few
NUMERIC_MIN: Final = 4  # of a table's numeric columns by themselves; and coordinates at one size at least
NUMERIC_SHARE: Final = 0.5
NUMERIC_MODAL: Final = 0.75
BOTH: Final = (0.1, 0.9)  # share of upward steps among those of the modal size


@compiled
def constant_step(child: Any, parent: Any, coords: int, numeric: int) -> bool:
    """Tell whether i2[64] `child` is `parent` plus sign noise; `numeric` first coordinates are a table's numbers."""
    steps = np.empty(64, np.int64)
    for place in range(coords):
        steps[place] = np.int64(child[place]) - parent[place]
    if _sign_noise(steps[:coords], max(CHANGED_MIN, SHARE * coords), MODAL, True):
        return True
    return numeric >= NUMERIC_MIN and _sign_noise(
        steps[:numeric], max(NUMERIC_MIN, NUMERIC_SHARE * numeric), NUMERIC_MODAL, False
    )


@compiled
def _sign_noise(steps: Any, least: float, share: float, or_few: bool) -> bool:
    size = _different(steps)
    if size.shape[0] < least:
        return False
    size.sort()
    mode, at_mode = _modal(size)
    if mode < STEP_MIN or at_mode < NUMERIC_MIN:
        return False
    if at_mode <= share * size.shape[0] and not (or_few and _distinct(size) <= SIZES):
        return False
    up = 0
    for step in steps:
        up += abs(step - mode) <= BIN
    return BOTH[0] <= up / at_mode <= BOTH[1]


@compiled
def _different(steps: Any) -> Any:
    """Return the sizes of the differences that are no rounding."""
    size, count = np.empty(steps.shape[0], np.int64), 0
    for step in steps:
        if abs(step) > DIFFERENT:
            size[count] = abs(step)
            count += 1
    return size[:count]


@compiled
def _modal(size: Any) -> tuple[int, int]:
    """Return the commonest of the sorted sizes, and how many have it within a bin to either side."""
    mode, most, low, high = 0, 0, 0, 0
    for place in range(size.shape[0]):
        while size[low] < size[place] - BIN:
            low += 1
        while high < size.shape[0] and size[high] <= size[place] + BIN:
            high += 1
        if high - low > most:
            mode, most = size[place], high - low
    return mode, most


@compiled
def _distinct(size: Any) -> int:
    """Return how many of the sorted sizes differ from the one before by more than a bin."""
    count = 1
    for place in range(1, size.shape[0]):
        count += size[place] - size[place - 1] > BIN
    return count
