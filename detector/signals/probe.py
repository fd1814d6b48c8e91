"""Probe: near pairs of inputs with different answers, beside a decision boundary."""

import numpy as np

from detector.geometry import NEAR
from detector.population import Population
from detector.signals.base import (
    BY_FLIP,
    Batch,
    Columns,
    Counts,
    Event,
    Flags,
    Hit,
    Signal,
    Trace,
    known,
    number,
    ratio,
)

TIGHT = 0.35  # of the near-pair radius


def _fold(batch: Batch, _: Columns, population: Population) -> list[tuple[Flags, Flags]]:
    radius = np.float32(number(population, "r")) * batch.sc
    asked = batch.has_input & (batch.label >= 0) & known(batch.dflip)
    flip = batch.dflip < radius
    low = batch.margin_high < number(population, "m05")
    margin = known(batch.margin_high, number(population, "m05"))
    tight = (batch.dflip < np.float32(TIGHT) * radius) & (low | ~margin)
    once = asked & batch.trial
    return [(flip, once), (flip & low, once & margin), (tight, once), (flip, asked)]


_WORDS = (
    "queries have a near neighbour with another answer",
    "queries have a near neighbour with another answer, and little margin",
    "queries have a very near neighbour with another answer",
    "queries have a near neighbour with another answer while the inputs move on",
)


def _because(counts: Counts) -> str:
    event = counts.strongest
    return f"boundary probing: {counts.share(event)} {_WORDS[event]} ({counts.ordinary(event)})"


def _trace(batch: Batch, population: Population) -> Trace:
    apart = NEAR * ratio(batch.dflip / batch.sc, number(population, "r"))
    return Trace(-apart, [apart], [batch.beside[:, BY_FLIP]])


def _words(hit: Hit) -> str:
    return f"and {hit.partners[0]} have different answers at {hit.numbers[0]:.1%} of the usual distance between queries"


SIGNAL = Signal(
    name="probe",
    events=(
        Event("flip", "probe", "P", floor=0.55),
        Event("flipL", "probe", "P", floor=0.35),
        Event("tightL", "probe", "P", floor=0.30),
        Event("hover", "probe", "P", floor=0.90, moving=True),
    ),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    plain="It asks about nearly identical inputs that get different answers: it traces the border between classes.",
    source="Chen et al. 2020 (HopSkipJump) and Brendel et al. 2018 (Boundary) look for the boundary so",
)
