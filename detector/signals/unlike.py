"""Unlike: new inputs far from everything that ordinary clients send, or with the looks of something from elsewhere.

Far is a distance in the coarse view, which a dark or turned ordinary input may have too. So `learn` also grows boosted
trees that tell ordinary inputs and all their virtual copies from synthetic foreign ones. Both are one kind of evidence:
a client from a new domain breaks both ceilings at once.
"""

import numpy as np

from detector.population import Population
from detector.signals.base import (
    Batch,
    Columns,
    Counts,
    Event,
    Flags,
    Hit,
    Signal,
    Trace,
    beyond,
    known,
    number,
    ratio,
    times,
)


def _fold(batch: Batch, _: Columns, population: Population) -> list[tuple[Flags, Flags]]:
    strange = [_strange(batch, number(population, name)) for name in ("for96", "for995")]
    return [_far(batch, population, "97"), _far(batch, population, "997"), *strange]


def _strange(batch: Batch, threshold: float) -> tuple[Flags, Flags]:
    return beyond(batch.foreign, threshold), batch.fresh & known(batch.foreign, threshold)


def _far(batch: Batch, population: Population, quantile: str) -> tuple[Flags, Flags]:
    cell, residual = number(population, f"dc{quantile}"), number(population, f"res{quantile}")
    far = beyond(batch.dc, cell) | beyond(batch.res, residual)
    return far, batch.fresh & known(batch.dc, batch.res, cell, residual)


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
