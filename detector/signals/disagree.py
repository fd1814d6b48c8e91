"""Disagree: the model's answers contradict what ordinary clients' answers have taught a cheap surrogate."""

from typing import Any, NamedTuple

import numpy as np

from detector.compiled import lean
from detector.population import Population
from detector.signals.base import Batch, Columns, Counts, Event, Hit, Outcomes, Signal, Trace, known, number, numbers

SURE = np.float32(0.9)  # margin above which the model is sure of its answer


class _Usual(NamedTuple):
    """The population's numbers."""

    sm05: float
    sm02: float
    dc97: float
    res97: float
    dc75: float
    res75: float
    for96: float


_usual = numbers(_Usual)


def _fold(batch: Batch, _: Columns, population: Population, out: Outcomes) -> None:
    seen = (batch.fresh, batch.sm, batch.dc, batch.res, batch.margin_low, batch.foreign)
    _compare(seen, _usual(population), out)


@lean
def _compare(seen: Any, usual: _Usual, out: Outcomes) -> None:
    fresh, sm, dc, res, margin, foreign = seen
    for row in range(fresh.shape[0]):
        hit, trial = out.hit[row, out.first :], out.trial[row, out.first :]
        against, asked = sm[row] < 0, fresh[row] and known(sm[row])
        near_known = asked and known(dc[row]) and known(usual.dc97) and known(usual.dc75)
        hit[0] = against
        hit[1] = sm[row] < usual.sm05
        hit[2] = sm[row] < usual.sm02
        hit[3] = against and (dc[row] > usual.dc97 or res[row] > usual.res97)
        hit[4] = against and (dc[row] > usual.dc75 or res[row] > usual.res75) and margin[row] > SURE
        hit[5] = against and foreign[row] > usual.for96
        trial[0] = asked
        trial[1] = asked and known(usual.sm05)
        trial[2] = asked and known(usual.sm02)
        trial[3] = near_known
        trial[4] = near_known and known(margin[row])
        trial[5] = asked and known(foreign[row])


_WORDS = (
    "contradict what ordinary answers lead one to expect",
    "contradict what ordinary answers lead one to expect more than 95 % of ordinary ones do",
    "contradict what ordinary answers lead one to expect more than 98 % of ordinary ones do",
    "contradict what ordinary answers lead one to expect, far from ordinary inputs",
    "are sure and contradict what ordinary answers lead one to expect, apart from ordinary inputs",
    "contradict what ordinary answers lead one to expect, for inputs that look foreign",
)


def _because(counts: Counts) -> str:
    event = counts.strongest
    return f"{counts.share(event)} answers to new inputs {_WORDS[event]} ({counts.ordinary(event)})"


def _trace(batch: Batch, _: Population) -> Trace:
    return Trace(-batch.sm, [batch.sm])


def _words(hit: Hit) -> str:
    usual = number(hit.population, "sm05")
    return (
        f"was answered against what ordinary answers lead one to expect: support {hit.numbers[0]:.2f}"
        f" (95 % of ordinary answers: above {usual:.2f})"
    )


SIGNAL = Signal(
    name="disagree",
    events=tuple(Event(name, "disagree", "A") for name in ("dis", "s05", "s02", "dfar3", "dfc", "dfor")),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    plain="It finds inputs at which the model contradicts itself far more often than ordinary use does.",
    source="Own; the surrogate is a perceptron with one hidden layer, learnt on ordinary clients' answers",
)
