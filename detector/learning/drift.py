"""Drift: whether ordinary clients' windows changed within the past that a population is learnt from.

ADWIN (Bifet and Gavalda 2007, through river) watches the mean of each column of the window rows, in event time. It
warns and changes nothing: a patient thief would teach whatever learns by itself.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from river.drift import ADWIN

STEPS: Final = 500  # means over equally many windows each: ADWIN sees no single window
WINDOWS_MIN: Final = 4 * STEPS  # fewer windows are too noisy to tell
DELTA: Final = 0.002  # chance of a false warning, ADWIN's own default
CHECK_EVERY: Final = 8  # means between two looks


def moves(rows: npt.NDArray[np.float32], time: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield (column, time) of each column of window rows f4[m, R] that moved, and when this was last noticed.

    `time` i8[m] is the event time of each window, in microseconds.
    """
    if len(rows) < WINDOWS_MIN:
        return
    parts = np.array_split(np.argsort(time, kind="stable"), STEPS)
    for column in range(rows.shape[1]):
        known = [(rows[part, column], time[part[-1]]) for part in parts]
        means = [(float(np.nanmean(values)), int(when)) for values, when in known if not np.isnan(values).all()]
        when = _last(means)
        if when is not None:
            yield column, when


def _last(means: list[tuple[float, int]]) -> int | None:
    adwin: Any = ADWIN  # river is typed in part only
    watch = adwin(delta=DELTA, clock=CHECK_EVERY)
    noticed = None
    for mean, when in means:
        watch.update(mean)
        noticed = when if watch.drift_detected else noticed
    return noticed
