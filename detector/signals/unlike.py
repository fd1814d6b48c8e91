"""Unlike: new inputs far from everything that ordinary clients send."""

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
    return [_far(batch, population, "97"), _far(batch, population, "997")]


def _far(batch: Batch, population: Population, quantile: str) -> tuple[Flags, Flags]:
    cell, residual = number(population, f"dc{quantile}"), number(population, f"res{quantile}")
    far = beyond(batch.dc, cell) | beyond(batch.res, residual)
    return far, batch.fresh & known(batch.dc, batch.res, cell, residual)


def _because(counts: Counts) -> str:
    event = counts.strongest
    degree = ("97 %", "99.7 %")[event]
    return (
        f"{counts.share(event)} new inputs lie farther from ordinary inputs than {degree} of those"
        f" ({counts.ordinary(event)})"
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
    events=(Event("far3", "unlike", "S"), Event("far4", "unlike", "S")),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    source="Orekondy et al. 2019 (Knockoff Nets) and Atli et al. 2020: a thief's pool is not the owner's domain",
)
