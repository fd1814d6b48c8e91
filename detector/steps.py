"""Sign noise of constant size: a query that is its parent plus one step, up here and down there.

What Jacobian-based augmentation (Papernot et al. 2017) and random targeted steps (Juuti et al. 2019) leave behind:
many raw coordinates differ, nearly all by one size, in both directions. Sensor noise differs by many sizes, a
change of brightness in one direction. Inputs of few grey levels differ by one size too, but their own
values lie on that grid.
"""

from typing import Any, Final

import numpy as np

from detector.compiled import compiled

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
BOTH: Final = (0.1, 0.9)  # share of upward steps among those of the modal size


@compiled
def moved(child: Any, parent: Any, coords: int, image: bool) -> Any:
    """Return how i2[64] `child` departs from `parent`: see `_summed`."""
    return _summed(_steps(child, parent, coords, image))


@compiled
def constant_step(moves: Any, parent: Any, numeric: int) -> bool:
    """Tell whether the moves from `parent` are sign noise; `numeric` first coordinates are a table's numbers."""
    steps = moves[0]
    if _sign_noise(moves, parent, (max(CHANGED_MIN, SHARE * steps.shape[0]), MODAL), True):
        return True
    if numeric < NUMERIC_MIN:
        return False
    shares = (max(NUMERIC_MIN, NUMERIC_SHARE * numeric), NUMERIC_MODAL)
    return _sign_noise(_summed(steps[:numeric]), parent, shares, False)


@compiled
def brightness(moves: Any) -> int:
    """Return by how much (thousandths, signed) an image got evenly brighter or darker; 0: it did not."""
    steps, size, mode, at_mode = moves
    if size.shape[0] < TINTED_MIN or mode < STEP_MIN or at_mode <= NUMERIC_MODAL * size.shape[0]:
        return 0
    up = _upward(steps, mode)
    if BOTH[0] <= up / at_mode <= BOTH[1]:
        return 0
    return int(mode if up > 0 else -mode)


@compiled
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


@compiled
def _sign_noise(moves: Any, parent: Any, shares: tuple[float, float], or_multiples: bool) -> bool:
    steps, size, mode, at_mode = moves
    least, share = shares
    if size.shape[0] < least or mode < STEP_MIN or at_mode < NUMERIC_MIN:
        return False
    if not BOTH[0] <= _upward(steps, mode) / at_mode <= BOTH[1]:
        return False
    if at_mode > share * size.shape[0] or (or_multiples and _multiples(size, mode) > share * size.shape[0]):
        return not _on_grid(parent[: steps.shape[0]], mode)
    return False


@compiled
def _summed(steps: Any) -> Any:
    """Return the steps, the sizes of those that are no rounding, the commonest size and how many have it."""
    size = _different(steps)
    mode, at_mode = _modal(size)
    return steps, size, mode, at_mode


@compiled
def _steps(child: Any, parent: Any, coords: int, image: bool) -> Any:
    """Return how far each coordinate moved, i4[coords]; 0 for an image's pixel at an end: its step was clipped."""
    steps = np.empty(coords, np.int32)
    for place in range(coords):
        cut = image and not 0 < child[place] < FULL
        steps[place] = 0 if cut else np.int32(child[place]) - np.int32(parent[place])
    return steps


@compiled
def _upward(steps: Any, mode: int) -> int:
    """Return how many steps of the commonest size go up."""
    up = 0
    for step in steps:
        up += abs(step - mode) <= BIN
    return up


@compiled
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
        for value in size:
            times = np.round(value / step)
            count += (times in FOLDS) and abs(value - times * step) <= BIN
        most = max(most, count)
    return most


@compiled
def _on_grid(parent: Any, mode: int) -> bool:
    """Tell whether the parent's own values between the ends lie on a grid of that size: then every difference does."""
    low, high = parent.min(), parent.max()
    between, on = 0, 0
    for value in parent:
        if low + DIFFERENT < value < high - DIFFERENT:
            between += 1
            away = (value - low) % mode
            on += min(away, mode - away) <= BIN
    return between >= GRID_MIN and on >= GRID_SHARE * between


@compiled
def _different(steps: Any) -> Any:
    """Return the sizes of the differences that are no rounding."""
    size, count = np.empty(steps.shape[0], np.int32), 0
    for step in steps:
        if abs(step) > DIFFERENT:
            size[count] = abs(step)
            count += 1
    return size[:count]


@compiled
def _modal(size: Any) -> tuple[int, int]:
    """Return the commonest size, of equals the smallest, and how many have it within a bin to either side.

    All are compared with all, several at once: that takes less time than to sort them.
    """
    mode, most = 0, 0
    for at in range(size.shape[0]):
        value, alike = size[at], 0
        for other in range(size.shape[0]):
            alike += abs(size[other] - value) <= BIN
        if alike > most or (alike == most and value < mode):
            mode, most = value, alike
    return mode, most
