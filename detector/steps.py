"""Sign noise of constant size: is a query its parent plus the same step, up here and down there?

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
NUMERIC_MIN: Final = 4  # a table's numeric columns by themselves
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
    changed, mode, at_mode = _modal(steps)
    if changed < least or mode < STEP_MIN or at_mode < 4:
        return False
    if at_mode <= share * changed and not (or_few and _sizes(steps) <= SIZES):
        return False
    up = 0
    for step in steps:
        up += abs(step - mode) <= BIN
    return BOTH[0] <= up / at_mode <= BOTH[1]


@compiled
def _modal(steps: Any) -> tuple[int, int, int]:
    """Return how many coordinates differ, the commonest size of difference, and how many have it."""
    changed, mode, most = 0, 0, 0
    for step in steps:
        size = abs(step)
        if size <= DIFFERENT:
            continue
        changed += 1
        same = 0
        for other in steps:
            same += abs(abs(other) - size) <= BIN
        if same > most:
            mode, most = size, same
    return changed, mode, most


@compiled
def _sizes(steps: Any) -> int:
    """Return the number of distinct sizes of difference."""
    count = 0
    for place in range(steps.shape[0]):
        size = abs(steps[place])
        new = size > DIFFERENT
        for before in range(place):
            new = new and abs(abs(steps[before]) - size) > BIN
        count += new
    return count
