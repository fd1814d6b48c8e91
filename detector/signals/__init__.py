"""The registry of signals. Adding one = one file and one line here; the contract tests find it."""

from typing import Final

from detector.signals import disagree, entropy, lattice, line, low, novelty, probe, stencil, texture, unlike
from detector.signals.base import Event, Signal

SIGNALS: Final[tuple[Signal, ...]] = (
    unlike.SIGNAL,
    disagree.SIGNAL,
    texture.SIGNAL,
    low.SIGNAL,
    lattice.SIGNAL,
    line.SIGNAL,
    probe.SIGNAL,
    stencil.SIGNAL,
    entropy.SIGNAL,
    novelty.SIGNAL,
)
EVENTS: Final[tuple[Event, ...]] = tuple(event for signal in SIGNALS for event in signal.events)
KINDS: Final[tuple[str, ...]] = tuple(signal.name for signal in SIGNALS)


def _spans() -> dict[str, tuple[int, int, int]]:
    spans, start = {}, 0
    for at, signal in enumerate(SIGNALS):
        spans[signal.name] = (at, start, start + len(signal.events))
        start += len(signal.events)
    return spans


SPANS: Final[dict[str, tuple[int, int, int]]] = _spans()
"""Signal -> (its place in SIGNALS, its first event in EVENTS, the one after its last)."""
QUERY_EVENTS: Final[tuple[int, ...]] = tuple(
    place for signal in SIGNALS if signal.fold for place in range(*SPANS[signal.name][1:])
)
"""Events of single queries; their rates open the window row."""
ROW: Final[tuple[str, ...]] = (
    *(EVENTS[place].name for place in QUERY_EVENTS),
    "label_entropy",
    "cell_entropy",
    "mean_margin",
)
"""Columns of a window row, each 0..1 or NaN (unknown)."""
