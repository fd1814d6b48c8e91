"""Coarser answers, pure: what a client gets instead of the model's own probabilities.

perturb rounds to one decimal; throttle leaves the label only, as a one-hot row, so that the form of an
answer never changes. The top class stays the top class, alone.
"""

import numpy as np
import numpy.typing as npt

from detector.decision import Action

DECIMALS = 1
STEP = 10.0**-DECIMALS
HALF = 0.5  # from here on a binary score means class 1

Probabilities = npt.NDArray[np.float32]


def coarsen(probabilities: Probabilities, action: Action) -> Probabilities:
    """Return what is served under `action` for float32 [n, K]; K = 1 is a binary score."""
    if action >= Action.THROTTLE:
        return label_only(probabilities)
    if action is Action.PERTURB:
        return rounded(probabilities)
    return probabilities


def labels(probabilities: Probabilities) -> npt.NDArray[np.int64]:
    """Return the class of each row of [n, K]: the first of the highest; of a binary score, whether it is >= 0.5."""
    if probabilities.shape[1] == 1:
        return (probabilities[:, 0] >= HALF).astype(np.int64)
    top: npt.NDArray[np.int64] = np.argmax(probabilities, axis=1)
    return top


def rounded(probabilities: Probabilities) -> Probabilities:
    """Return [n, K] rounded to one decimal.

    Where rounding would tie the top class with another, or hide it among zeros, the top class gets one step more.
    A binary score below one half never reaches it.
    """
    coarse = probabilities.round(DECIMALS)
    if coarse.shape[1] == 1:
        crossed = (probabilities < HALF) & (coarse >= HALF)
        return np.where(crossed, np.float32(HALF - STEP), coarse)
    rows = np.arange(len(coarse))
    top = labels(probabilities)
    others = coarse.copy()
    others[rows, top] = -1
    tied = others.max(axis=1) >= coarse[rows, top]
    coarse[rows[tied], top[tied]] = (coarse[rows[tied], top[tied]] + np.float32(STEP)).round(DECIMALS)
    return coarse


def label_only(probabilities: Probabilities) -> Probabilities:
    """Return [n, K] with 1 at the top class and 0 elsewhere; of a binary score, 0 or 1."""
    if probabilities.shape[1] == 1:
        return labels(probabilities).astype(np.float32)[:, None]
    return np.eye(probabilities.shape[1], dtype=np.float32)[labels(probabilities)]
