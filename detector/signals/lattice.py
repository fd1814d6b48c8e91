"""Lattice: an input equals a remembered one plus a step of one size, up in some coordinates and down in others."""

from typing import Any

import numpy as np

from detector.compiled import lean
from detector.geometry import layout
from detector.once import once
from detector.population import Population
from detector.signals.base import BY_PARENT, Batch, Columns, Counts, Event, Hit, Outcomes, Signal, Trace

COORDS_MIN = 4  # with fewer raw coordinates a constant step means nothing


@once
def _kind(population: Population) -> tuple[bool, bool]:
    """Tell whether inputs are wide enough for a constant step, and whether they are images."""
    return len(population.arrays.get("coords", ())) >= COORDS_MIN, layout(population.shape).image


def _fold(batch: Batch, _: Columns, population: Population, out: Outcomes) -> None:
    _tell((batch.lattice, batch.tinted, batch.has_input, batch.repeat), _kind(population), out)


@lean
def _tell(seen: Any, kind: tuple[bool, bool], out: Outcomes) -> None:
    (lattice, tinted, has_input, repeat), (wide, image) = seen, kind
    for row in range(lattice.shape[0]):
        hit, trial = out.hit[row, out.first :], out.trial[row, out.first :]
        hit[0], hit[1] = lattice[row], tinted[row]
        trial[0] = has_input[row] and not repeat[row] and wide
        trial[1] = has_input[row] and image


def _because(counts: Counts) -> str:
    event = counts.strongest
    return f"{counts.share(event)} inputs are an earlier input {_WORDS[event]} ({counts.ordinary(event)})"


_WORDS = (
    "plus noise of one constant size and both signs, the mark of synthetic data",
    "made evenly brighter or darker by one constant amount, the mark of synthetic data",
)


def _trace(batch: Batch, _: Population) -> Trace:
    return Trace(np.zeros(len(batch.slot)), partners=[batch.beside[:, BY_PARENT]])


def _words(hit: Hit) -> str:
    return f"is {hit.partners[0]} plus a step of one constant size"


SIGNAL = Signal(
    name="lattice",
    events=(Event("lat", "lattice", "P", floor=0.01, strong=0.05), Event("tint", "lattice", "P", floor=0.1)),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    plain="It sends earlier inputs again with small even changes, as programs do that map out a model.",
    source="Papernot et al. 2017 (JbDA) and Juuti et al. 2019 (T-RND, COLOR) make such queries",
)
