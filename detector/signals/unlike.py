"""Unlike: new inputs far from everything that ordinary clients send, or with the looks of something from elsewhere.

Far is a distance in the coarse view, which a dark or turned ordinary input may have too. So `learn` also grows boosted
trees that tell ordinary inputs and all their virtual copies from synthetic foreign ones. Both are one kind of evidence:
a client from a new domain breaks both ceilings at once.
"""

from typing import Any, NamedTuple

import numpy as np

from detector.compiled import lean
from detector.population import Population
from detector.signals.base import (
    Batch,
    Columns,
    Counts,
    Event,
    Hit,
    Outcomes,
    Signal,
    Trace,
    known,
    number,
    numbers,
    ratio,
    times,
)


class _Usual(NamedTuple):
    """The population's numbers."""

    dc97: float
    dc997: float
    res97: float
    res997: float
    for96: float
    for995: float


_usual = numbers(_Usual)


def _fold(batch: Batch, _: Columns, population: Population, out: Outcomes) -> None:
    _compare((batch.fresh, batch.dc, batch.res, batch.foreign), _usual(population), out)


@lean
def _compare(seen: Any, usual: _Usual, out: Outcomes) -> None:
    fresh, dc, res, foreign = seen
    for row in range(fresh.shape[0]):
        hit, trial = out.hit[row, out.first :], out.trial[row, out.first :]
        placed = fresh[row] and known(dc[row]) and known(res[row])
        hit[0] = dc[row] > usual.dc97 or res[row] > usual.res97
        hit[1] = dc[row] > usual.dc997 or res[row] > usual.res997
        hit[2] = foreign[row] > usual.for96
        hit[3] = foreign[row] > usual.for995
        trial[0] = placed and known(usual.dc97) and known(usual.res97)
        trial[1] = placed and known(usual.dc997) and known(usual.res997)
        trial[2] = fresh[row] and known(foreign[row]) and known(usual.for96)
        trial[3] = fresh[row] and known(foreign[row]) and known(usual.for995)


def _because(counts: Counts) -> str:
    event = counts.strongest
    return f"{counts.share(event)} new inputs {_WORDS[event]} ({counts.ordinary(event)})"


_WORDS = (
    "lie farther from ordinary inputs than 97 % of those",
    "lie farther from ordinary inputs than 99.7 % of those",
    "look foreign to this model, more than 96 % of ordinary inputs and of their changed copies do",
    "look foreign to this model, more than 99.5 % of ordinary inputs and of their changed copies do",
)


def _trace(batch: Batch, population: Population) -> Trace:
    cell, residual = (
        ratio(batch.dc, number(population, "dc97")),
        ratio(batch.res, number(population, "res97")),
    )
    farther = np.fmax(cell, residual)
    return Trace(farther, [farther])


def _words(hit: Hit) -> str:
    return f"lies {times(hit.numbers[0])} as far from ordinary inputs as 97 % of those do"


SIGNAL = Signal(
    name="unlike",
    events=tuple(Event(name, "unlike", "S") for name in ("far3", "far4", "for96", "for995")),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    plain="It asks about inputs unlike any that ordinary clients send.",
    source="Atli et al. 2020 (a thief's pool is another domain), Hendrycks et al. 2019 (outlier exposure)",
)
