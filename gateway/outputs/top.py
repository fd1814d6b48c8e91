"""The top class stays, alone at the top."""

import numpy as np

from gateway.outputs.rows import Doubles, Labels, labels, pairs
from gateway.tensors import Floats


def kept_top(served: Floats, truth: Floats, decimals: int) -> Floats:
    """Return `served` [n, K] with the top class of `truth` [n, K] as the only highest of each row.

    Where another class is higher the two change places. Where others are as high the top class gets one step more,
    10^-decimals (at 1 the others get one less), so that such a row's sum grows by a step. A binary score that would
    lie at one half lies a step above or below it.
    """
    rows, top = pairs(served), labels(truth)
    shared = np.flatnonzero((rows >= rows[np.arange(len(rows)), top, None]).sum(axis=1) > 1)
    if len(shared) == 0:
        return served
    mended = _lifted(_swapped(rows[shared], top[shared]), top[shared], decimals)
    if served.shape[1] == 1:
        mended[:, 1] = np.where(top[shared] == 1, mended[:, 1], 1 - mended[:, 0])
    rows[shared] = mended
    return rows[:, -served.shape[1] :].astype(np.float32)


def _swapped(rows: Doubles, top: Labels) -> Doubles:
    """Return the rows with the highest member at `top`."""
    each, best = np.arange(len(rows)), rows.argmax(axis=1)
    swapped = rows.copy()
    swapped[each, best], swapped[each, top] = rows[each, top], rows[each, best]
    return swapped


def _lifted(rows: Doubles, top: Labels, decimals: int) -> Doubles:
    """Return the rows, highest at `top`, with that member a step above the others where it is not alone."""
    step, each = 10.0**-decimals, np.arange(len(rows))
    highest = rows[each, top]
    alone = (rows == highest[:, None]).sum(axis=1) == 1
    cap = np.where(alone, highest, np.minimum(highest, 1 - step))
    lifted = np.minimum(rows, cap[:, None])
    lifted[each, top] = np.where(alone, highest, (cap + step).round(decimals))
    return lifted
