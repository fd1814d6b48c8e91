"""Examples: of each signal the few strongest hits of a client, so that a person can look at the queries themselves.

A hit is kept by name (number, time, label, id) with the names of its partners and the numbers that made it a hit. Hits
are taken in stream order up to the query that closes a window, so a verdict shows what was known then and no later one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import names
from detector.compiled import lean, put
from detector.evidence import Example, Reading
from detector.names import NOBODY, NUMBER, WIDTH, Name, Names
from detector.population import Population
from detector.signals import SIGNALS, SPANS
from detector.signals.base import NUMBERS, PARTNERS, Batch, Columns, Field, Flags, Hit, Ints, Trace
from detector.times import format_time

_SECONDS: Final = len("2026-11-23T12:00:00")
KEPT: Final = 3  # of each signal; a person looks at no more
FIELDS: Final = (
    Field("names", "i8", (len(SIGNALS), KEPT, 1 + PARTNERS, WIDTH)),  # the query and its partners; number 0: empty
    Field("numbers", "f4", (len(SIGNALS), KEPT, NUMBERS)),
    Field("strength", "f4", (len(SIGNALS), KEPT)),
)


class Hits(NamedTuple):
    """Hits of one signal or of several. [h]."""

    row: Ints  # of the batch
    slot: Ints
    signal: Ints  # its place in SIGNALS
    names: Names  # [h, 1 + PARTNERS, 5]
    numbers: npt.NDArray[np.float32]  # [h, NUMBERS]
    strength: npt.NDArray[np.float32]


class Waiting:
    """The hits of a batch, in stream order, that wait to become their clients' examples."""

    def __init__(self, columns: Columns, hits: Hits) -> None:
        self._held = (columns["names"], columns["numbers"], columns["strength"])
        self._hits = hits
        self._next = 0

    def keep(self, row: int) -> None:
        """Take the hits of the queries up to and with `row` that have not been taken."""
        stop = int(np.searchsorted(self._hits.row, row, side="right"))
        _keep(self._held, self._hits, self._next, stop)
        self._next = max(self._next, stop)


def of_queries(batch: Batch, hit: Flags, population: Population) -> list[Hits]:
    """Return the hits b1[n, E] of single queries."""
    found: list[Hits] = []
    spoken = np.asarray(hit.any(axis=0), np.bool_).tolist()
    for at, signal in enumerate(SIGNALS):
        span = slice(*SPANS[signal.name][1:])
        if signal.trace is not None and any(spoken[span]):
            rows = np.flatnonzero(hit[:, span].any(axis=1))
            found.append(_hits(at, (rows, batch.slot[rows], batch.name[rows]), signal.trace(batch, population), rows))
    return found


def of_windows(
    closing: tuple[Ints, Ints, Names], hits: npt.NDArray[Any], rows: npt.NDArray[np.float32], population: Population
) -> list[Hits]:
    """Return the hits [m, E] of whole windows f4[m, R]; `closing`: rows, slots and names of their last queries."""
    found: list[Hits] = []
    spoken = np.asarray(hits.any(axis=0), np.bool_).tolist()
    for at, signal in enumerate(SIGNALS):
        span = slice(*SPANS[signal.name][1:])
        if signal.trace_windows is not None and any(spoken[span]):
            windows = np.flatnonzero(hits[:, span].any(axis=1))
            at_all = np.arange(len(windows))
            who = (closing[0][windows], closing[1][windows], closing[2][windows])
            found.append(_hits(at, who, signal.trace_windows(rows[windows], population), at_all))
    return found


def joined(parts: Sequence[Hits]) -> Hits:
    """Return the parts in stream order."""
    whole = [_NONE, *parts]
    order = np.argsort(np.concatenate([part.row for part in whole]), kind="stable")
    return Hits(*(np.concatenate(columns)[order] for columns in zip(*whole, strict=True)))


def _hits(signal: int, who: tuple[Ints, Ints, Names], trace: Trace, rows: Ints) -> Hits:
    called, numbers = names.blank(len(rows), 1 + PARTNERS), np.zeros((len(rows), NUMBERS), np.float32)
    called[:, 0] = who[2]
    for at, partner in enumerate(trace.partners):
        called[:, 1 + at] = partner[rows]
    for at, number in enumerate(trace.numbers):
        numbers[:, at] = number[rows]
    strength = np.nan_to_num(np.asarray(trace.strength, np.float32)[rows])
    return Hits(who[0], who[1], np.full(len(rows), signal), called, numbers, strength)


_NOWHERE: Final = np.zeros(0, np.int64)
_NONE: Final = _hits(0, (_NOWHERE, _NOWHERE, names.blank(0)), Trace(_NOWHERE), _NOWHERE)


@lean
def _keep(held: Any, hits: Any, start: int, stop: int) -> None:
    kept, numbers, strength = held
    for at in range(start, stop):
        slot, signal = hits.slot[at], hits.signal[at]
        place = _weakest(kept[slot, signal], strength[slot, signal])
        if kept[slot, signal, place, 0, NUMBER] == NOBODY or hits.strength[at] > strength[slot, signal, place]:
            for name in range(hits.names.shape[1]):
                put(kept[slot, signal, place, name], hits.names[at, name])
            put(numbers[slot, signal, place], hits.numbers[at])
            strength[slot, signal, place] = hits.strength[at]


@lean
def _weakest(kept: Any, strength: Any) -> int:
    """Return the first empty place, else that of the weakest example, of equals the latest."""
    weakest = 0
    for place in range(strength.shape[0]):
        if kept[place, 0, NUMBER] == NOBODY:
            return place
        later = kept[place, 0, NUMBER] > kept[weakest, 0, NUMBER]
        if strength[place] < strength[weakest] or (strength[place] == strength[weakest] and later):
            weakest = place
    return weakest


class Seen(NamedTuple):
    """How examples are looked at: under which population, in windows of how many queries, and when (µs)."""

    population: Population
    window: int
    when: int


def shown(columns: Columns, slot: int, reading: Reading, seen: Seen) -> Reading:
    """Return the reading with its signal's examples, the strongest first."""
    at = SPANS[reading.signal][0]
    kept, strength = columns["names"][slot, at], columns["strength"][slot, at]
    filled = [place for place in range(KEPT) if kept[place, 0, NUMBER] != NOBODY]
    order = sorted(filled, key=lambda place: (-float(strength[place]), int(kept[place, 0, NUMBER])))
    told = (_example(at, kept[place], columns["numbers"][slot, at, place], seen) for place in order)
    return replace(reading, examples=tuple(told))


def _example(at: int, called: Names, numbers: npt.NDArray[np.float32], seen: Seen) -> Example:
    signal = SIGNALS[at]
    query, *partners = (names.read(name) for name in called if name[NUMBER] != NOBODY)
    hit = Hit(numbers.tolist(), [str(partner) for partner in partners], seen.population, seen.window)
    span = f"the {seen.window} queries up to " if signal.read is not None else ""
    subject = f"{span}query {query.number} ({', '.join(_details(query, seen.when, bool(span)))})"
    return Example((query, *partners), f"{subject} {signal.words(hit)}")


def _details(query: Name, when: int, window: bool) -> list[str]:
    """Return its time, with the date where that is not the verdict's, and its label unless it ends a window."""
    (day, clock), (today, _) = (format_time(time)[:_SECONDS].split("T") for time in (query.time, when))
    time = clock if day == today else f"{day} {clock}"
    return [time] if window or query.label is None else [time, f"label {query.label}"]
