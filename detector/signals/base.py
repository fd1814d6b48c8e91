"""What a signal is: its events, its state in a client's slot, its fold over queries and its sentence for people."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from detector.compiled import lean
from detector.names import Names
from detector.once import once
from detector.population import Population

Columns: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""A section's fields, one array each, first axis = client slot."""

BESIDE: Final = 3  # remembered queries that each query is compared with, by name:
BY_FLIP, BY_BASE, BY_PARENT = range(BESIDE)  # nearest with another label; nearest; nearest in the coarse view
PARTNERS: Final = 2  # queries that a hit is told with, at most: a line's two ends
TIMES_MAX: Final = 100.0  # beyond it the number itself tells nobody anything
NUMBERS: Final = 2  # numbers that it is told with, at most


class Event(NamedTuple):
    """Something that a query or a window does or does not do, whose probability for honest clients has a ceiling."""

    name: str
    kind: str
    # S: sent, A: answered unlike the population; P: how queries relate; O: mere oddity
    group: Literal["S", "A", "P", "O"]
    floor: float = 0.005  # smallest ceiling p0, for populations that lack a camera or an analyst
    strong: float | None = None  # floor of the higher ceiling at which this event alone may block
    moving: bool = False  # counted only in windows whose inputs move on (an event of the whole window)


class Field(NamedTuple):
    """One column of a client's slot."""

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    initial: float = 0


class Batch(NamedTuple):
    """Scored queries of one model in stream order, with everything that signals read. [n] rows; NaN is unknown."""

    slot: npt.NDArray[np.int64]
    order: npt.NDArray[np.intp]  # the rows client by client, see `compiled.by_client`
    label: npt.NDArray[np.int64]  # -1 unknown
    has_input: npt.NDArray[np.bool_]
    margin_low: npt.NDArray[np.float32]
    margin_high: npt.NDArray[np.float32]
    z: npt.NDArray[np.float32]  # [n, 48]
    c: npt.NDArray[np.int16]  # [n, 64]
    sc: npt.NDArray[np.float32]
    tex: npt.NDArray[np.float32]
    cell: npt.NDArray[np.int32]
    dc: npt.NDArray[np.float32]
    res: npt.NDArray[np.float32]
    sm: npt.NDArray[np.float32]
    foreign: npt.NDArray[np.float32]
    dflip: npt.NDArray[np.float32]  # distance in z to the nearest remembered query with another label; inf: none
    dmin: npt.NDArray[np.float32]  # to the nearest of any label
    base: npt.NDArray[np.int64]  # ordinal of that nearest one; -1 none
    base_same: npt.NDArray[np.bool_]  # it had the same label
    step: npt.NDArray[np.float32]  # [n, 48] z less that one's z
    changed: npt.NDArray[np.float32]  # share of raw coordinates that differ from that one's
    lattice: npt.NDArray[np.bool_]  # sign noise of constant size against the parent
    tinted: npt.NDArray[np.bool_]  # evenly brighter or darker than the parent, by as much as the one before was
    related: npt.NDArray[np.bool_]  # there was a parent to compare with
    repeat: npt.NDArray[np.bool_]
    trial: npt.NDArray[np.bool_]
    fresh: npt.NDArray[np.bool_]
    halfway: npt.NDArray[np.float32]  # how far along between two remembered ones, about 0.5; NaN: between none
    chained: npt.NDArray[np.bool_]  # and one of the two was such a middle itself
    name: Names  # [n, 5] see `detector.names`
    beside: Names  # [n, BESIDE, 5] whom it was compared with; nobody: zeros
    ends: Names  # [n, 2, 5] ends of the line that it lies on
    part: npt.NDArray[np.float32]  # how far along from the first end, 0..1


Flags: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]
Numbers = TypeVar("Numbers", bound=tuple[Any, ...])


class Outcomes(NamedTuple):
    """Where a signal writes what it found: [n, E] queries or windows, events. A hit that is no trial does not count.

    The arrays are those of all signals, and this one's events begin at `first`: a loop would be compiled once more for
    a part of an array.
    """

    hit: npt.NDArray[Any]
    trial: npt.NDArray[Any]
    first: int


Fold: TypeAlias = Callable[[Batch, Columns, Population, Outcomes], None]
"""Writes for each query the hit and the trial of each event. May change the signal's own columns, in stream order."""
Read: TypeAlias = Callable[[npt.NDArray[np.float32], Population, Outcomes], None]
"""Writes the same for each closed window, from window rows f4[m, R]."""


class Trace(NamedTuple):
    """How the hits of a signal are told to people. [n] rows: queries or windows; only those with a hit are read."""

    strength: npt.NDArray[Any]  # the strongest hits are kept as examples, of equals the first
    numbers: Sequence[npt.NDArray[Any]] = ()  # at most NUMBERS, for the words
    partners: Sequence[Names] = ()  # [n, 5] at most PARTNERS, likewise


class Hit(NamedTuple):
    """One hit, from which a signal makes words."""

    numbers: Sequence[float]
    partners: Sequence[str]  # "query 127 (label 3)"
    population: Population
    window: int  # queries of a window


@dataclass(frozen=True, slots=True)
class Counts:
    """What a client did since the process began, against what is ordinary. One entry an event of the signal."""

    hits: npt.NDArray[np.int64]
    trials: npt.NDArray[np.int64]
    ceiling: npt.NDArray[np.float64]  # NaN: the event is not in force
    strongest: int  # the event that speaks most
    population: Population | None = None
    window: int = 16  # queries of a window

    def share(self, event: int) -> str:
        """Return "31 of 64" for one event."""
        return f"{self.hits[event]} of {self.trials[event]}"

    def ordinary(self, event: int) -> str:
        """Return what is ordinary for one event."""
        return f"ordinary clients: at most {self.ceiling[event]:.1%}"


@dataclass(frozen=True, slots=True)
class Signal:
    """One angle on a client's queries; also the name of its kind of evidence."""

    name: str
    events: tuple[Event, ...]
    because: Callable[[Counts], str]
    plain: str  # what it means, in a sentence for everybody; said of the client: "It …" or "Its …"
    source: str
    version: int = 1  # of `fields` and of what they mean; another version starts the signal as unknown
    fields: tuple[Field, ...] = ()
    fold: Fold | None = None
    read: Read | None = None
    prepare: Callable[[Population], object] = lambda _: None  # makes what it needs of a population, before queries come
    trace: Callable[[Batch, Population], Trace] | None = None  # after `fold`, of the same batch
    trace_windows: Callable[[npt.NDArray[np.float32], Population], Trace] | None = None  # of window rows f4[m, R]
    words: Callable[[Hit], str] = lambda _: "is one of them"  # said of "query 132 (12:00:03)"


def number(population: Population, name: str) -> float:
    """Return the population's number, or NaN where it has none."""
    return float(population.numbers.get(name, math.nan))


def numbers(of: type[Numbers]) -> Callable[[Population], Numbers]:
    """Return what makes such a named tuple of a population's numbers, in the precision of the queries' own readings."""
    names: tuple[str, ...] = vars(of)["_fields"]
    return once(lambda population: of(**{name: np.float32(number(population, name)) for name in names}))


@lean
def known(value: Any) -> bool:
    """Tell whether a number is known; what is compared with an unknown one is False."""
    return not np.isnan(value)


def ratio(values: npt.NDArray[Any], usual: float) -> npt.NDArray[Any]:
    """Return how many times the usual the values are; inf where the usual is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(values / np.float64(usual))


def times(value: float) -> str:
    """Return "2.4 times" for people."""
    return f"{value:.1f} times" if value < TIMES_MAX else f"over {TIMES_MAX:.0f} times"
