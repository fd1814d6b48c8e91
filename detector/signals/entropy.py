"""Entropy: how a window's labels and input cells spread, against the windows of ordinary clients."""

import numpy as np
import numpy.typing as npt

from detector.population import Population
from detector.signals.base import Counts, Event, Flags, Signal, known, number

LABELS, CELLS = -3, -2  # columns of the window row


def _read(rows: npt.NDArray[np.float32], population: Population) -> list[tuple[Flags, Flags]]:
    return [_outside(rows[:, LABELS], population, "label"), _outside(rows[:, CELLS], population, "cell")]


def _outside(entropy: npt.NDArray[np.float32], population: Population, of: str) -> tuple[Flags, Flags]:
    low, high = (number(population, f"{of}_entropy{quantile}") for quantile in ("02", "98"))
    return (entropy < low) | (entropy > high), np.asarray(known(entropy, low, high), np.bool_)


def _because(counts: Counts) -> str:
    what = ("answers", "inputs")[counts.strongest]
    return (
        f"in {counts.share(counts.strongest)} windows the {what} are spread more evenly or more narrowly than in 96 %"
        f" of ordinary windows ({counts.ordinary(counts.strongest)})"
    )


SIGNAL = Signal(
    name="entropy",
    events=(Event("labels", "entropy", "O"), Event("cells", "entropy", "O")),
    read=_read,
    because=_because,
    source="Shannon 1948; query distributions as evidence: Kesarwani et al. 2018",
)
