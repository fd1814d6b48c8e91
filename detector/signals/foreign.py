"""Foreign: new inputs that look more like something from elsewhere than like any ordinary or changed ordinary input.

Boosted trees, grown by `learn`, tell ordinary inputs and all their virtual copies from synthetic foreign ones. What
lies far from ordinary inputs (`unlike`) may still be a dark or turned one of them; what the trees call foreign is not.
"""

from detector.population import Population
from detector.signals.base import Batch, Columns, Counts, Event, Flags, Hit, Signal, Trace, beyond, known, number

QUANTILES = ("for96", "for995")


def _fold(batch: Batch, _: Columns, population: Population) -> list[tuple[Flags, Flags]]:
    return [_beyond(batch, number(population, name)) for name in QUANTILES]


def _beyond(batch: Batch, threshold: float) -> tuple[Flags, Flags]:
    return beyond(batch.foreign, threshold), batch.fresh & known(batch.foreign, threshold)


def _because(counts: Counts) -> str:
    event = counts.strongest
    degree = ("96 %", "99.5 %")[event]
    return (
        f"{counts.share(event)} new inputs look foreign to this model, more than {degree} of ordinary inputs and of"
        f" their changed copies do ({counts.ordinary(event)})"
    )


def _trace(batch: Batch, _: Population) -> Trace:
    return Trace(batch.foreign, [batch.foreign])


def _words(hit: Hit) -> str:
    usual = number(hit.population, "for96")
    return f"looks foreign: {hit.numbers[0]:.1f} nats (96 % of ordinary inputs and their copies: below {usual:.1f})"


SIGNAL = Signal(
    name="foreign",
    events=(Event("for96", "foreign", "S"), Event("for995", "foreign", "S")),
    fold=_fold,
    because=_because,
    trace=_trace,
    words=_words,
    source="Hendrycks et al. 2019 (outlier exposure), Baradad et al. 2021 (images from noise), Friedman 2002 (trees)",
)
