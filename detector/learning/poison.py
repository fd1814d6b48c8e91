"""Poison: thieves among the past's clients, up to one in twenty, must not teach the population that they are usual.

The first pass learns from the clients in the largest company, lets the most extreme readings go, and judges
everybody by the block's own rule; who would be blocked is set aside, and the second pass learns from the rest.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector.compiled import compiled
from detector.evidence import Thresholds, advance, log_mean
from detector.judge import pair
from detector.learning.ceilings import Ceilings, Lives
from detector.signals import EVENTS, SPANS

SPARE: Final = 0.08  # share of the first pass's clients whose extreme readings set no ceiling
ASIDE_MAX: Final = 0.1  # more than this share is no poison: it is a kind of client, and stays
CLIENTS_MIN: Final = 20  # with fewer clients one in twenty is nobody

Flags = npt.NDArray[np.bool_]


def blocked(group: Lives, ceilings: Ceilings, bounds: Thresholds, *, gated: bool) -> Flags:
    """Tell which clients the block's rule meets: two kinds of evidence, or one strong mechanism."""
    alone = _strong(group, ceilings).max(1, initial=-np.inf) >= bounds.strong
    pairs = [pair(peaks, bounds.pair, gated) for peaks in _by_kind(group, ceilings)]
    found: Flags = alone | np.array(pairs, np.bool_)
    return found


def _strong(group: Lives, ceilings: Ceilings) -> npt.NDArray[np.float64]:
    held = [at for at, event in enumerate(EVENTS) if event.name in ceilings.strong]
    return np.column_stack([_reached(group, [at], [ceilings.strong[EVENTS[at].name]]) for at in held] or [_none(group)])


def _by_kind(group: Lives, ceilings: Ceilings) -> npt.NDArray[np.float64]:
    out = np.full((group.clients, len(SPANS)), -np.inf)
    for kind, first, end in SPANS.values():
        held = [at for at in range(first, end) if EVENTS[at].name in ceilings.p0]
        if held:
            out[:, kind] = _reached(group, held, [ceilings.p0[EVENTS[at].name] for at in held])
    return out


def _reached(group: Lives, events: list[int], p0: list[float]) -> npt.NDArray[np.float64]:
    peak = _none(group)
    hits, trials = (np.ascontiguousarray(counts[:, events]) for counts in (group.hits, group.trials))
    _kind(group.begin, hits, trials, np.array(p0), peak)
    return peak


def _none(group: Lives) -> npt.NDArray[np.float64]:
    return np.full(group.clients, -np.inf)


@compiled
def _kind(begin: Any, hits: Any, trials: Any, p0: Any, out: Any) -> None:
    """Write into f8[clients] the largest value that the mean of these events' processes reached."""
    process = np.zeros((hits.shape[1], 3))
    for client in range(len(begin) - 1):
        process[:] = -np.inf
        for window in range(begin[client], begin[client + 1]):
            for event in range(hits.shape[1]):
                number = window - begin[client] + 1
                advance(process[event], hits[window, event], trials[window, event], p0[event], number)
            out[client] = max(out[client], log_mean(process))


def names(clients: Sequence[str], limit: int = 5) -> str:
    """Return some of the clients' names for a note."""
    more = f" and {len(clients) - limit} more" if len(clients) > limit else ""
    return ", ".join(sorted(clients)[:limit]) + more
