"""Texture: images rougher than any camera's, or discrete columns of a table with values that do not occur."""

from typing import Any

import numpy as np

from detector.compiled import lean
from detector.geometry import layout
from detector.once import once
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
    times,
)

HALF = 0.5  # of a table's discrete columns off their grid
_BELOW_HALF = np.nextafter(np.float32(HALF), np.float32(0))


@once
def _usual(population: Population) -> tuple[Any, Any]:
    """Return what is not beyond the ordinary, and not far beyond."""
    if not layout(population.shape).image:
        return np.float32(0), _BELOW_HALF
    return np.float32(number(population, "tex99")), np.float32(number(population, "tex998"))


def _fold(batch: Batch, _: Columns, population: Population, out: Outcomes) -> None:
    _compare((batch.tex, batch.has_input, batch.repeat), _usual(population), out)


@lean
def _compare(seen: Any, usual: tuple[float, float], out: Outcomes) -> None:
    tex, has_input, repeat = seen
    for row in range(tex.shape[0]):
        asked = has_input[row] and not repeat[row] and known(tex[row])
        for degree in range(2):
            out.hit[row, out.first + degree] = tex[row] > usual[degree]
            out.trial[row, out.first + degree] = asked and known(usual[degree])


def _because(counts: Counts) -> str:
    event = counts.strongest
    return (
        f"{counts.share(event)} inputs have a texture (noise, or values between the allowed ones) that hardly any"
        f" ordinary input has ({counts.ordinary(event)})"
    )


def _trace(batch: Batch, _: Population) -> Trace:
    return Trace(batch.tex, [batch.tex])


def _words(hit: Hit) -> str:
    if not layout(hit.population.shape).image:
        return (
            f"has values that never occur in {hit.numbers[0]:.0%} of its columns with few values (ordinary inputs: 0%)"
        )
    usual = number(hit.population, "tex99")
    return f"is {times(hit.numbers[0] / usual if usual else np.inf)} as rough as 99 % of ordinary images"


SIGNAL = Signal(
    name="texture",
    events=(Event("hf1", "texture", "S"), Event("hf2", "texture", "S", floor=0.05)),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    plain="Its inputs are rougher than real ones: they look made by a program.",
    source="Own; high frequencies betray noise and adversarial steps, as in Carrara et al. 2018",
)
