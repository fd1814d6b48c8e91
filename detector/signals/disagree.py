"""Disagree: the model's answers contradict what ordinary clients' answers have taught a cheap surrogate."""

from detector.population import Population
from detector.signals.base import Batch, Columns, Counts, Event, Flags, Hit, Signal, Trace, beyond, known, number

SURE = 0.9  # margin above which the model is sure of its answer


def _fold(batch: Batch, _: Columns, population: Population) -> list[tuple[Flags, Flags]]:
    seen = batch.fresh & known(batch.sm)
    against = batch.sm < 0
    far = beyond(batch.dc, number(population, "dc97")) | beyond(batch.res, number(population, "res97"))
    apart = beyond(batch.dc, number(population, "dc75")) | beyond(batch.res, number(population, "res75"))
    near_known = known(batch.dc, number(population, "dc97"), number(population, "dc75"))
    return [
        (against, seen),
        (batch.sm < number(population, "sm05"), seen & known(number(population, "sm05"))),
        (batch.sm < number(population, "sm02"), seen & known(number(population, "sm02"))),
        (against & far, seen & near_known),
        (against & apart & (batch.margin_low > SURE), seen & near_known & known(batch.margin_low)),
        (against & beyond(batch.foreign, number(population, "for96")), seen & known(batch.foreign)),
    ]


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
