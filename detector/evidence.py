"""Evidence: from hits and trials of events to kinds of evidence and their bounds.

Each event with ceiling p0 feeds an e-process: a mixture over three alternatives and over every window in which
an attack might have begun. While the event's conditional probability stays at or below p0, the chance that the process
ever reaches exp(b) is at most exp(-b), however often one looks (Ville's inequality; Ramdas et al. 2023,
"Game-theoretic statistics and safe anytime-valid inference"). A kind is the mean over its events, still an e-process.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detector.compiled import lean
from detector.names import Name

ALTERNATIVES: Final = np.array([0.1, 0.3, 0.7])  # q = p0 + (1 - p0) a: weak, middling, blatant
_WEIGHT_SUM: Final = 2.1097428  # sum over n >= 2 of 1 / (n ln^2 n), so that the start weights sum to 1
STRONG: Final = 4  # strong mechanisms: lat, sten, lineN, lineM

Logs = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A hit that a person can look at: the query with its partners, by name, and one sentence about them."""

    queries: tuple[Name, ...]  # first the query itself (of a window its last one), then its partners
    says: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a signal says of a client: the evidence of its kind in nats, and because."""

    signal: str
    kind: str
    value: float
    because: str
    examples: tuple[Example, ...] = ()  # the strongest hits since the evidence began, the strongest first


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds in nats for one episode: one kind (suspected), each of a pair, a strong mechanism (confirmed)."""

    one: float
    pair: float
    strong: float


def thresholds(alpha: float, episode: int, kinds: int) -> Thresholds:
    """Return the bounds of a client's `episode` (1, 2, …) with `kinds` kinds of evidence.

    Episode k spends alpha 2^-k, half of it on pairs and half on strong mechanisms: over a whole life at most alpha.
    """
    budget = math.log(alpha) - episode * math.log(2.0)
    return Thresholds(
        one=math.log(kinds) - budget,
        pair=math.log(max(kinds - 1, 1)) - (budget - math.log(2.0)),
        strong=math.log(STRONG) - (budget - math.log(2.0)),
    )


@lean
def log_weight(window: int) -> float:  # pragma: no cover  # compiled
    """Return ln w_j, the weight of an attack that starts in a client's window j = 1, 2 and so on."""
    return -math.log((window + 1) * math.log(window + 1.0) ** 2) - math.log(_WEIGHT_SUM)


@lean
def log_e(hits: float, trials: float, p0: float, alternative: float) -> float:  # pragma: no cover  # compiled
    """Return the log likelihood ratio of `hits` in `trials` for q = p0 + (1 - p0) a against p0."""
    q = p0 + (1.0 - p0) * alternative
    return hits * math.log(q / p0) + (trials - hits) * math.log((1.0 - q) / (1.0 - p0))


@lean
def advance(process: Logs, hits: float, trials: float, p0: float, window: int) -> None:  # pragma: no cover  # compiled
    """Move one event's process f8[3] (logs, -inf before the first window) past a closed window, in place."""
    start = log_weight(window)
    for a in range(len(ALTERNATIVES)):
        high, low = max(process[a], start), min(process[a], start)
        process[a] = high + math.log1p(math.exp(low - high)) + log_e(hits, trials, p0, ALTERNATIVES[a])


@lean
def log_mean(process: Logs) -> float:  # pragma: no cover  # compiled
    """Return the log of the mean of exp(process), over all its entries f8[...] flattened; -inf when there is none."""
    top = -math.inf
    for value in process.flat:
        top = max(top, value)
    if top == -math.inf:
        return top
    total = 0.0
    for value in process.flat:
        total += math.exp(value - top)
    return top + math.log(total / process.size)


def sentence(readings: Sequence[Reading]) -> str:
    """Return one sentence for people from the strongest readings: what a verdict gives as its reason."""
    return "; ".join(reading.because for reading in readings[:3]) or "no evidence"
