"""Examples: of each signal the few strongest hits of a client, so that a person can look at the queries themselves.

A hit is kept by name (number, time, label, id) with the names of its partners and the numbers that made it a hit. Hits
are taken in stream order up to the query that closes a window, so a verdict shows what was known then and no later one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import names
from detector.compiled import lean, make_known, put
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


class Told(NamedTuple):
    """Queries, or the last ones of windows, that may tell hits. [n]."""

    row: Ints  # of the batch
    slot: Ints
    name: Names


class Hits(NamedTuple):
    """Hits of all signals: signal by signal, each one's in stream order. [h]."""

    begin: Ints  # [S + 1] where those of each signal in SIGNALS begin
    row: Ints  # of `Told`
    partners: Names  # [h, PARTNERS, 5]
    numbers: npt.NDArray[np.float32]  # [h, NUMBERS]
    strength: npt.NDArray[np.float32]

    def parts(self) -> Iterator[slice]:
        """Yield which hits are whose signal's."""
        begin = self.begin.tolist()
        return map(slice, begin, begin[1:])

    def tell(self, some: slice, trace: Trace, rows: Ints | slice) -> None:
        """Write how some hits are told by these rows of a trace."""
        self.strength[some] = trace.strength[rows]
        for at, partner in enumerate(trace.partners):
            self.partners[some, at] = partner[rows]
        for at, number in enumerate(trace.numbers):
            self.numbers[some, at] = number[rows]


class Waiting:
    """The hits of a batch that wait to become their clients' examples."""

    def __init__(self, columns: Columns, parts: Sequence[tuple[Told, Hits]]) -> None:
        self._held = (columns["names"], columns["numbers"], columns["strength"])
        self._parts = [(told, hits, hits.begin[:-1].copy()) for told, hits in parts]

    def keep(self, row: int) -> None:
        """Take the hits of the queries up to and with `row` that have not been taken."""
        for part in self._parts:
            _keep(self._held, part, row)


def of_queries(hit: Flags, batch: Batch, population: Population) -> Hits:
    """Return the hits b1[n, E] of single queries."""
    found = _spoken(hit, _SPANS)
    for some, signal in zip(found.parts(), SIGNALS, strict=True):
        if signal.trace is not None and some.start < some.stop:
            found.tell(some, signal.trace(batch, population), found.row[some])
    make_known(found.strength)
    return found


def of_windows(hit: npt.NDArray[Any], windows: npt.NDArray[np.float32], population: Population) -> Hits:
    """Return the hits [m, E] of whole windows f4[m, R]."""
    found = _spoken(hit, _WINDOW_SPANS)
    for some, signal in zip(found.parts(), SIGNALS, strict=True):
        if signal.trace_windows is not None and some.start < some.stop:
            found.tell(some, signal.trace_windows(windows[found.row[some]], population), slice(None))
    make_known(found.strength)
    return found


_SPANS: Final = np.array([SPANS[signal.name][1:] if signal.trace else (0, 0) for signal in SIGNALS])
_WINDOW_SPANS: Final = np.array([SPANS[signal.name][1:] if signal.trace_windows else (0, 0) for signal in SIGNALS])


def _spoken(hit: npt.NDArray[Any], spans: Ints) -> Hits:
    """Return who hit any event of each signal, of which the first and the one after its last are given."""
    begin, row = np.zeros(len(spans) + 1, np.int64), np.empty(len(spans) * len(hit), np.int64)
    count = _gather(hit, spans, begin, row)
    numbers, partners = np.zeros((count, NUMBERS), np.float32), names.blank(count, PARTNERS)
    return Hits(begin, row[:count], partners, numbers, np.empty(count, np.float32))


@lean
def _gather(hit: Any, spans: Any, begin: Any, found: Any) -> int:
    count = 0
    for signal in range(spans.shape[0]):
        start, stop = spans[signal]
        for row in range(hit.shape[0] if stop > start else 0):
            spoke = False
            for event in range(start, stop):
                spoke = spoke or hit[row, event] > 0
            found[count] = row
            count += spoke
        begin[signal + 1] = count
    return count


@lean
def _keep(held: Any, part: Any, until: int) -> None:
    """Take each signal's hits from its next one on, up to and with those of the query `until`."""
    (kept, numbers, strength), (told, hits, following) = held, part
    for signal in range(following.shape[0]):
        while following[signal] < hits.begin[signal + 1] and told.row[hits.row[following[signal]]] <= until:
            at = following[signal]
            row = hits.row[at]
            slot = told.slot[row]
            place = _weakest(kept[slot, signal], strength[slot, signal])
            if kept[slot, signal, place, 0, NUMBER] == NOBODY or hits.strength[at] > strength[slot, signal, place]:
                put(kept[slot, signal, place, 0], told.name[row])
                for partner in range(hits.partners.shape[1]):
                    put(kept[slot, signal, place, 1 + partner], hits.partners[at, partner])
                put(numbers[slot, signal, place], hits.numbers[at])
                strength[slot, signal, place] = hits.strength[at]
            following[signal] += 1


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
