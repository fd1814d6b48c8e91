"""Entropy: how a window's labels and input cells spread, against the windows of ordinary clients."""

import numpy as np
import numpy.typing as npt

from detector.population import Population
from detector.signals.base import Counts, Event, Flags, Hit, Signal, Trace, known, number

LABELS, CELLS = -3, -2  # columns of the window row
OF = ("label", "cell")
KINDS = ("equally frequent answers", "equally frequent places of the input space")


def _read(rows: npt.NDArray[np.float32], population: Population) -> list[tuple[Flags, Flags]]:
    return [_outside(rows[:, LABELS], population, "label"), _outside(rows[:, CELLS], population, "cell")]


def _outside(entropy: npt.NDArray[np.float32], population: Population, of: str) -> tuple[Flags, Flags]:
    low, high = (number(population, f"{of}_entropy{quantile}") for quantile in ("02", "98"))
    return (entropy < low) | (entropy > high), np.asarray(known(entropy, low, high), np.bool_)


def _because(counts: Counts) -> str:
    what = ("answers", "inputs")[counts.strongest]
    usual = "" if counts.population is None else f", {_usual(counts.population, counts.strongest, counts.window)}"
    return (
        f"in {counts.share(counts.strongest)} windows the {what} are spread more evenly or more narrowly than in 96 %"
        f" of ordinary windows{usual} ({counts.ordinary(counts.strongest)})"
    )


def _usual(population: Population, of: int, window: int) -> str:
    return f"which spread over the equivalent of {_range(population, of, window)} {KINDS[of]}"


def _range(population: Population, of: int, window: int) -> str:
    """Return "2.1 to 7.9": an entropy's exponential is how many equally frequent ones would vary as much."""
    low, high = (window ** number(population, f"{OF[of]}_entropy{quantile}") for quantile in ("02", "98"))
    return f"{low:.1f} to {high:.1f}"


def _trace(rows: npt.NDArray[np.float32], population: Population) -> Trace:
    """Tell of labels or cells, whichever lie farther outside; one window row has room for one."""
    entropy = rows[:, [LABELS, CELLS]]
    low, high = (np.array([number(population, f"{of}_entropy{at}") for of in OF]) for at in ("02", "98"))
    outside = np.nan_to_num(np.fmax(low - entropy, entropy - high), nan=-1.0)
    which = outside.argmax(axis=1)
    return Trace(outside.max(axis=1), [which, entropy[np.arange(len(rows)), which]])


def _words(hit: Hit) -> str:
    of, entropy = int(hit.numbers[0]), hit.numbers[1]
    return (
        f"spread over the equivalent of {hit.window**entropy:.1f} {KINDS[of]}"
        f" (96 % of ordinary windows: {_range(hit.population, of, hit.window)})"
    )


SIGNAL = Signal(
    name="entropy",
    events=(Event("labels", "entropy", "O"), Event("cells", "entropy", "O")),
    read=_read,
    because=_because,
    trace_windows=_trace,
    words=_words,
    plain="Its questions spread over the answers more evenly than ordinary work does, as if to cover the model.",
    source="Shannon 1948; query distributions as evidence: Kesarwani et al. 2018",
)
