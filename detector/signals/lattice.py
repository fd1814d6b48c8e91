"""Lattice: an input equals a remembered one plus a step of one size, up in some coordinates and down in others."""

import numpy as np

from detector.population import Population
from detector.signals.base import BY_PARENT, Batch, Columns, Counts, Event, Flags, Hit, Signal, Trace

COORDS_MIN = 4  # with fewer raw coordinates a constant step means nothing


def _fold(batch: Batch, _: Columns, population: Population) -> list[tuple[Flags, Flags]]:
    wide = len(population.arrays.get("coords", ())) >= COORDS_MIN
    return [(batch.lattice, batch.has_input & ~batch.repeat & wide)]


def _because(counts: Counts) -> str:
    return (
        f"{counts.share(0)} inputs are an earlier input plus noise of one constant size and both signs,"
        f" the mark of synthetic data ({counts.ordinary(0)})"
    )


def _trace(batch: Batch, _: Population) -> Trace:
    return Trace(np.zeros(len(batch)), partners=[batch.beside[:, BY_PARENT]])


def _words(hit: Hit) -> str:
    return f"is {hit.partners[0]} plus noise of one constant size, up in some places and down in others"


SIGNAL = Signal(
    name="lattice",
    events=(Event("lat", "lattice", "P", floor=0.01, strong=0.05),),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    source="Papernot et al. 2017 (JbDA) and Juuti et al. 2019 (T-RND) make such queries",
)
