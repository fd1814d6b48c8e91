"""Stencil: small steps from one input, each in a new direction: a gradient taken by finite differences."""

from typing import Any, NamedTuple

import numpy as np

from detector.compiled import lean, put
from detector.geometry import NEAR, SKETCH
from detector.once import once
from detector.population import Population
from detector.signals.base import (
    BY_BASE,
    Batch,
    Columns,
    Counts,
    Event,
    Field,
    Hit,
    Outcomes,
    Signal,
    Trace,
    number,
    ratio,
)

STEP_MIN = np.float32(1e-4)  # in z: below it the input is the same
TIGHT = 0.35  # of the near-pair radius
SPARSE = 0.05  # share of raw coordinates that a step may change; one at least, in a narrow table
SMALL = 0.25  # standard deviations of a table's column: rows of a table may lie so close that r tells nothing
NEW = 0.7  # |cos| to the step before, below it the direction is new; one-column what-if gives 1


class _Small(NamedTuple):
    """What is a small step."""

    tight: Any  # of an input of usual contrast
    least: Any  # a radius is held to be no less than that
    sparse: Any


@once
def _small(population: Population) -> _Small:
    sparse = max(SPARSE, 1 / max(len(population.arrays.get("coords", ())), 1))
    least = SMALL if "numeric" in population.arrays else 0.0
    return _Small(np.float32(TIGHT * number(population, "r")), np.float32(least), np.float32(sparse))


def _fold(batch: Batch, columns: Columns, population: Population, out: Outcomes) -> None:
    seen = (batch.slot, batch.has_input, batch.dmin, batch.sc, batch.changed, batch.base_same, batch.base, batch.step)
    _steps((columns["base"], columns["step"]), seen, _small(population), out)


@lean
def _steps(held: Any, seen: Any, usual: _Small, out: Outcomes) -> None:
    """Compare each small step with the client's small step before it, if both start at one base."""
    bases, directions = held
    slots, has_input, dmin, sc, changed, base_same, base, step = seen
    for row in range(slots.shape[0]):
        slot = slots[row]
        out.trial[row, out.first] = has_input[row]
        near = dmin[row] > STEP_MIN and dmin[row] < max(usual.tight * sc[row], usual.least)
        if not (near and base_same[row] and changed[row] <= usual.sparse):
            continue
        if bases[slot] == base[row]:
            out.hit[row, out.first] = abs(_cosine(directions[slot], step[row])) < NEW
        bases[slot] = base[row]
        put(directions[slot], step[row])


@lean
def _cosine(one: Any, other: Any) -> float:
    dot, square, square_other = 0.0, 0.0, 0.0
    for axis in range(SKETCH):
        dot += one[axis] * other[axis]
        square += one[axis] * one[axis]
        square_other += other[axis] * other[axis]
    return float(dot / np.sqrt(square * square_other))


def _because(counts: Counts) -> str:
    return (
        f"{counts.share(0)} queries are a small step from one and the same input in ever new directions,"
        f" as finite differences are ({counts.ordinary(0)})"
    )


def _trace(batch: Batch, population: Population) -> Trace:
    apart = NEAR * ratio(batch.dmin / batch.sc, number(population, "r"))
    return Trace(-apart, [apart], [batch.beside[:, BY_BASE]])


def _words(hit: Hit) -> str:
    return (
        f"is {hit.partners[0]} moved in a new direction by {hit.numbers[0]:.1%} of the usual distance between queries"
    )


SIGNAL = Signal(
    name="stencil",
    events=(Event("sten", "stencil", "P", floor=0.01, strong=0.05),),
    fields=(Field("base", "i8", (), -1), Field("step", "f4", (SKETCH,))),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    plain="It nudges one input in one direction after another to measure how the model reacts.",
    source="Tramer et al. 2016 (equation solving) and Milli et al. 2019 (gradients by finite differences)",
)
