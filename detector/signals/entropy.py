"""Entropy: how a window's labels and input cells spread, against the windows of ordinary clients."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.compiled import lean
from detector.population import Population
from detector.signals.base import Counts, Event, Hit, Outcomes, Signal, Trace, known, number, numbers

LABELS, CELLS = -3, -2  # columns of the window row
OF = ("label", "cell")
KINDS = ("equally frequent answers", "equally frequent places of the input space")


class _Usual(NamedTuple):
    """The population's numbers."""

    label_entropy02: float
    label_entropy98: float
    cell_entropy02: float
    cell_entropy98: float


_usual = numbers(_Usual)


def _read(rows: npt.NDArray[np.float32], population: Population, out: Outcomes) -> None:
    _compare(rows, _usual(population), out)


@lean
def _compare(rows: Any, usual: _Usual, out: Outcomes) -> None:
    labels, cells = usual[:2], usual[2:]
    for row in range(rows.shape[0]):
        for event, column, (low, high) in ((0, LABELS, labels), (1, CELLS, cells)):
            entropy = rows[row, column]
            out.hit[row, out.first + event] = entropy < low or entropy > high
            out.trial[row, out.first + event] = known(entropy) and known(low) and known(high)


def _because(counts: Counts) -> str:
    what = ("answers", "inputs")[counts.strongest]
    usual = "" if counts.population is None else f", {_equivalent(counts.population, counts.strongest, counts.window)}"
    return (
        f"in {counts.share(counts.strongest)} windows the {what} are spread more evenly or more narrowly than in 96 %"
        f" of ordinary windows{usual} ({counts.ordinary(counts.strongest)})"
    )


def _equivalent(population: Population, of: int, window: int) -> str:
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
