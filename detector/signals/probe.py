"""Probe: near pairs of inputs with different answers, beside a decision boundary."""

from typing import Any, NamedTuple

import numpy as np

from detector.compiled import lean
from detector.geometry import NEAR
from detector.population import Population
from detector.signals.base import (
    BY_FLIP,
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
)

TIGHT = np.float32(0.35)  # of the near-pair radius


class _Usual(NamedTuple):
    """The population's numbers."""

    r: float
    m05: float


_usual = numbers(_Usual)


def _fold(batch: Batch, _: Columns, population: Population, out: Outcomes) -> None:
    seen = (batch.has_input, batch.label, batch.trial, batch.dflip, batch.sc, batch.margin_high)
    _compare(seen, _usual(population), out)


@lean
def _compare(seen: Any, usual: _Usual, out: Outcomes) -> None:
    has_input, label, once, dflip, sc, margin = seen
    for row in range(label.shape[0]):
        hit, trial = out.hit[row, out.first :], out.trial[row, out.first :]
        radius = usual.r * sc[row]
        asked = has_input[row] and label[row] >= 0 and known(dflip[row])
        low, told = margin[row] < usual.m05, known(margin[row]) and known(usual.m05)
        hit[0] = dflip[row] < radius
        hit[1] = dflip[row] < radius and low
        hit[2] = dflip[row] < TIGHT * radius and (low or not told)
        hit[3] = dflip[row] < radius
        trial[0] = asked and once[row]
        trial[1] = asked and once[row] and told
        trial[2] = asked and once[row]
        trial[3] = asked


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
