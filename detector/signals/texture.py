"""Texture: images rougher than any camera's, or discrete columns of a table with values that do not occur."""

import numpy as np

from detector.geometry import layout
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
    times,
)

HALF = 0.5  # of a table's discrete columns off their grid


def _fold(batch: Batch, _: Columns, population: Population) -> list[tuple[Flags, Flags]]:
    if not layout(population.shape).image:
        seen = ~batch.repeat & batch.has_input & known(batch.tex)
        return [(beyond(batch.tex, 0.0), seen), (batch.tex >= HALF, seen)]
    seen = ~batch.repeat & batch.has_input & known(batch.tex)
    return [_rough(batch, seen, number(population, name)) for name in ("tex99", "tex998")]


def _rough(batch: Batch, seen: Flags, threshold: float) -> tuple[Flags, Flags]:
    return beyond(batch.tex, threshold), np.asarray(seen & known(threshold), np.bool_)


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
