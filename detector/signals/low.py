"""Low: answers with little margin between the two best classes, as a share of queries and not as a mean."""

from detector.population import Population
from detector.signals.base import Batch, Columns, Counts, Event, Flags, Hit, Signal, Trace, known, number


def _fold(batch: Batch, _: Columns, population: Population) -> list[tuple[Flags, Flags]]:
    at_05, at_015 = number(population, "m05"), number(population, "m015")
    told = known(batch.margin_high)
    new = ~batch.repeat & told
    return [
        (batch.margin_high < at_05, new & known(at_05)),
        (batch.margin_high < at_015, new & known(at_015)),
        (batch.margin_high < at_05, told & known(at_05)),
    ]


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
