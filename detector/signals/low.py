"""Low: answers with little margin between the two best classes, as a share of queries and not as a mean."""

from typing import Any, NamedTuple

from detector.compiled import lean
from detector.population import Population
from detector.signals.base import Batch, Columns, Counts, Event, Hit, Outcomes, Signal, Trace, known, number, numbers


class _Usual(NamedTuple):
    """The population's numbers."""

    m05: float
    m015: float


_usual = numbers(_Usual)


def _fold(batch: Batch, _: Columns, population: Population, out: Outcomes) -> None:
    _compare((batch.margin_high, batch.repeat), _usual(population), out)


@lean
def _compare(seen: Any, usual: _Usual, out: Outcomes) -> None:
    margin, repeat = seen
    for row in range(margin.shape[0]):
        hit, trial = out.hit[row, out.first :], out.trial[row, out.first :]
        told = known(margin[row])
        hit[0] = margin[row] < usual.m05
        hit[1] = margin[row] < usual.m015
        hit[2] = margin[row] < usual.m05
        trial[0] = told and not repeat[row] and known(usual.m05)
        trial[1] = told and not repeat[row] and known(usual.m015)
        trial[2] = told and known(usual.m05)


_WORDS = (
    "answers are closer to a boundary than 95 % of ordinary ones",
    "answers are closer to a boundary than 98.5 % of ordinary ones",
    "answers are close to a boundary while the inputs move on",
)


def _because(counts: Counts) -> str:
    event = counts.strongest
    return f"{counts.share(event)} {_WORDS[event]} ({counts.ordinary(event)})"


def _trace(batch: Batch, _: Population) -> Trace:
    return Trace(-batch.margin_high, [batch.margin_high])


def _words(hit: Hit) -> str:
    usual = number(hit.population, "m05")
    return (
        f"was answered with a lead of {hit.numbers[0]:.3f} over the second class"
        f" (95 % of ordinary answers: {usual:.3f} or more)"
    )


SIGNAL = Signal(
    name="low",
    events=(
        Event("low", "low", "A"),
        Event("low2", "low", "A"),
        Event("lowH", "low", "A", floor=0.6, moving=True),
    ),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    plain="It asks mostly where the model is unsure, which is where there is most to learn about it.",
    source="Brendel et al. 2018 (Boundary attack); margins as a mixture, since a mean hides the probing part",
)
