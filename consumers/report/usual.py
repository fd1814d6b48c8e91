"""How often a client does what signals look for, beside how often ordinary clients do.

A population holds windows of ordinary clients, in no order: shares of queries in one window, of no known age. So a
client's share since its evidence began is held against single windows, and against the ceiling, which is of
whole lives.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consumers.report.recalled import Recalled
from detector.population import Population
from detector.signals import QUERY_EVENTS, SIGNALS, SPANS
from detector.signals.base import Counts, Signal

WINDOWS_MIN = 100  # fewer ordinary windows show no distribution
LEVELS = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Usual:
    """One signal's strongest event: what the client does, and what is usual. All shares are 0..1."""

    signal: str
    nats: float  # the evidence of the signal
    because: str
    own: float  # share of the client's tries since the evidence began
    levels: tuple[float, ...] | None  # quantiles LEVELS of ordinary windows' shares; None: not known
    windows: int  # ordinary windows that they are of
    ceiling: float  # p0: no more than this counts as ordinary


def usuals(recalled: Recalled, population: Population, window: int) -> list[Usual]:
    """Return what is known of each signal that could look at the client, the strongest evidence first."""
    found = [_usual(signal, recalled, population, window) for signal in SIGNALS]
    return sorted((one for one in found if one is not None), key=lambda one: -one.nats)


def _usual(signal: Signal, recalled: Recalled, population: Population, window: int) -> Usual | None:
    at, first, stop = SPANS[signal.name]
    ceilings = np.array([population.ceilings.get(event.name, np.nan) for event in signal.events])
    process = recalled.evidence["process"][first:stop].max(axis=1)
    hits, trials = (recalled.evidence[name][first:stop] for name in ("hits", "trials"))
    if not (np.isfinite(ceilings) & (trials > 0)).any():
        return None
    strongest = int(np.argmax(process))
    shares = _ordinary(population, first + strongest)
    counts = Counts(hits, trials, ceilings, strongest, population, window)
    return Usual(
        signal=signal.name,
        nats=round(float(recalled.evidence["peak"][at]), 2),
        because=signal.because(counts),
        own=float(hits[strongest] / max(trials[strongest], 1)),
        levels=tuple(np.quantile(shares, LEVELS).tolist()) if len(shares) >= WINDOWS_MIN else None,
        windows=len(shares),
        ceiling=float(ceilings[strongest]),
    )


def _ordinary(population: Population, event: int) -> npt.NDArray[np.float32]:
    """Return the shares f4[m] of an event in ordinary windows; none for events of whole windows: no shares."""
    rows = population.arrays.get("rows")
    if rows is None or event not in QUERY_EVENTS:
        return np.zeros(0, np.float32)
    column = rows[:, QUERY_EVENTS.index(event)]
    known: npt.NDArray[np.float32] = column[np.isfinite(column)]
    return known


def of_whom(population: Population) -> str:
    """Return in words whom a population's figures are of."""
    return (
        f"{population.clients:,} ordinary clients of {population.model}, {population.queries:,} queries, the longest"
        f" life {population.oldest:,} queries"
    )
