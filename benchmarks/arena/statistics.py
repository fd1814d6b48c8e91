"""Statistics: how sure a share is, and how long clients last."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

Curve: TypeAlias = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

CONFIDENCE = 0.95


def interval(hits: int, trials: int) -> tuple[float, float]:
    """Return the exact two-sided 95 % interval of a share (Clopper and Pearson 1934); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    found = stats.binomtest(hits, trials).proportion_ci(CONFIDENCE, method="exact")
    return float(found.low), float(found.high)


def lasting(ends: Sequence[int | None], lives: Sequence[int]) -> Curve:
    """Return (queries, share not ended by then), the curve of Kaplan and Meier 1958, from 0 queries on.

    `ends` is the query at which each client's end came, None where its life of `lives` queries was over before.
    """
    ended = [end for end in ends if end is not None]
    over = [life for end, life in zip(ends, lives, strict=True) if end is None]
    if not ended:
        return np.array([0.0, max(lives, default=0)]), np.ones(2)
    curve = stats.ecdf(stats.CensoredData(uncensored=ended, right=over)).sf
    return np.r_[0.0, curve.quantiles], np.r_[1.0, curve.probabilities]


def quantile(ends: Sequence[int | None], share: float) -> float | None:
    """Return the quantile of the ends that came; None where none did."""
    ended = [end for end in ends if end is not None]
    return float(np.quantile(ended, share)) if ended else None
