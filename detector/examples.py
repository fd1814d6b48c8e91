"""Examples: of each signal the few strongest hits of a client, so that a person can look at the queries themselves.

A hit is kept by name (number, time, label, id) with the names of its partners and the numbers that made it a hit. Hits
are taken in stream order up to the query that closes a window, so a verdict shows what was known then and no later one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from detector import names
from detector.compiled import lean, make_known, put
from detector.evidence import Example, Reading
from detector.names import NOBODY, NUMBER, WIDTH, Name, Names
from detector.population import Population
from detector.signals import SIGNALS, SPANS
from detector.signals.base import NUMBERS, PARTNERS, Batch, Columns, Field, Flags, Hit, Ints, Signal, Trace
from detector.times import format_time

_SECONDS: Final = len("2026-11-23T12:00:00")
KEPT: Final = 3  # of each signal; a person looks at no more
FIELDS: Final = (
    Field("names", "i8", (len(SIGNALS), KEPT, 1 + PARTNERS, WIDTH)),  # the query and its partners; number 0: empty
    Field("numbers", "f4", (len(SIGNALS), KEPT, NUMBERS)),
    Field("strength", "f4", (len(SIGNALS), KEPT)),
)


Rows: TypeAlias = npt.NDArray[np.float32]


class Hits(NamedTuple):
    """Hits of one signal, in stream order. [h]."""

    signal: int  # its place in SIGNALS
    row: Ints  # of the batch
    slot: Ints
    names: Names  # [h, 1 + PARTNERS, 5]
    numbers: npt.NDArray[np.float32]  # [h, NUMBERS]
    strength: npt.NDArray[np.float32]


class Waiting:
    """The hits of a batch, signal by signal, that wait to become their clients' examples."""

    def __init__(self, columns: Columns, parts: Sequence[Hits]) -> None:
        self._held = (columns["names"], columns["numbers"], columns["strength"])
        self._parts = parts
        self._next = [0] * len(parts)

    def keep(self, row: int) -> None:
        """Take the hits of the queries up to and with `row` that have not been taken."""
        for at, part in enumerate(self._parts):
            self._next[at] = _keep(self._held, part, self._next[at], row)


class Told(NamedTuple):
    """By whom the hits of queries, or of windows by their last queries, are told. [n]."""

    row: Ints  # of the batch
    slot: Ints
    name: Names

    def take(self, rows: Ints) -> "Told":
        """Return the chosen rows."""
        return Told(self.row[rows], self.slot[rows], self.name[rows])


def of_queries(who: Told, hit: Flags, batch: Batch, population: Population) -> Iterator[Hits]:
    """Yield the hits b1[n, E] of single queries, signal by signal."""
    for at, signal, rows in _spoken(hit):
        if signal.trace is not None:
            yield _hits(at, who.take(rows), signal.trace(batch, population), rows)


def of_windows(who: Told, closed: tuple[npt.NDArray[Any], Rows], population: Population) -> Iterator[Hits]:
    """Yield the hits [m, E] of whole windows f4[m, R], signal by signal."""
    hit, windows = closed
    for at, signal, rows in _spoken(hit):
        if signal.trace_windows is not None:
            yield _hits(at, who.take(rows), signal.trace_windows(windows[rows], population))


def _spoken(hit: npt.NDArray[Any]) -> Iterator[tuple[int, Signal, Ints]]:
    """Yield the signals that speak, and in which rows."""
    said = np.asarray(hit.any(axis=0), np.bool_).tolist()
    for at, signal in enumerate(SIGNALS):
        _, start, stop = SPANS[signal.name]
        if any(said[start:stop]):
            yield at, signal, np.flatnonzero(hit[:, start:stop].any(axis=1))


def _hits(signal: int, who: Told, trace: Trace, rows: Ints | slice = slice(None)) -> Hits:
    """Return the hits of `who`, told by the rows of a trace."""
    called, numbers = names.blank(len(who.row), 1 + PARTNERS), np.zeros((len(who.row), NUMBERS), np.float32)
    called[:, 0] = who.name
    for at, partner in enumerate(trace.partners):
        called[:, 1 + at] = partner[rows]
    for at, number in enumerate(trace.numbers):
        numbers[:, at] = number[rows]
    strength = trace.strength[rows].astype(np.float32)
    make_known(strength)
    return Hits(signal, who.row, who.slot, called, numbers, strength)


@lean
def _keep(held: Any, hits: Hits, start: int, row: int) -> int:
    """Take hits from `start` on, up to and with those of `row`; return the next one."""
    (kept, numbers, strength), signal, at = held, hits.signal, start
    while at < hits.row.shape[0] and hits.row[at] <= row:
        slot = hits.slot[at]
        place = _weakest(kept[slot, signal], strength[slot, signal])
        if kept[slot, signal, place, 0, NUMBER] == NOBODY or hits.strength[at] > strength[slot, signal, place]:
            for name in range(hits.names.shape[1]):
                put(kept[slot, signal, place, name], hits.names[at, name])
            put(numbers[slot, signal, place], hits.numbers[at])
            strength[slot, signal, place] = hits.strength[at]
        at += 1
    return at


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
