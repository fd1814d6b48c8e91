"""Slots: what is remembered of each client of one model, as columns (struct of arrays).

A column belongs to a named, versioned section. Standing, serial and episode live in the section `head`;
what a signal needs lives in a section of its own, so that an upgrade of one signal loses that signal's memory only.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector import examples, leakage, memory, room, window_fold
from detector.signals import EVENTS, SIGNALS, SPANS
from detector.signals.base import Field, Signal

FIRST_SLOTS: Final = 16
IDS: Final = 128  # ids remembered of a client: a producer's retries come close together
HEAD: Final = (
    Field("seed", "u8"),  # of the client's reservoir: its name decides
    Field("queries", "i8"),  # readable queries, scored or not
    Field("scored", "i8"),
    Field("windows", "i8"),  # closed since the population came into force
    Field("age", "i8"),  # windows since the present e-processes began
    Field("standing", "i8"),  # rank
    Field("highest", "i8"),  # rank
    Field("serial", "i8"),
    Field("episode", "i8", initial=1),
    Field("expires", "i8", initial=-1),  # µs; -1: it does not
    Field("first_block", "i8", initial=-1),  # queries at the first block that was not in shadow; -1: never
    Field("last", "i8"),  # µs, event time of the latest query
    Field("leakage", "f8", initial=math.nan),  # as of the latest verdict
    Field("spent", "i1"),  # its budget of leakage: 0 not used up, 1 used up and told of, 2 lifted by a person
    Field("unknown", "i8"),  # signals that had to start as unknown after a restore
)
HEARD: Final = (Field("ids", "u8", (IDS,)), Field("next", "i8"))
NOTHING: Final = -np.inf  # log of an e-process that has not begun
PER_EVENT: Final = (
    Field("open_hits", "i8"),
    Field("open_trials", "i8"),
    Field("hits", "i8"),  # since the e-processes began
    Field("trials", "i8"),
    Field("lately_hits", "f8"),  # the same, forgotten over as many queries as the population's oldest client asked
    Field("lately_trials", "f8"),
    Field("process", "f8", (3,), NOTHING),
    Field("strong", "f8", (3,), NOTHING),  # against the higher ceiling
    Field("strong_peak", "f8"),
)
OPEN: Final = ("open_hits", "open_trials")
PER_SIGNAL: Final = (
    Field("level", "f8", (), NOTHING),  # nats, now
    Field("peak", "f8"),  # its running maximum
    Field("decisive", "f8"),  # the same over the windows in which a block might rest on it
)
EVIDENCE: Final = (  # of all signals side by side
    *(Field(name, dtype, (len(EVENTS), *shape), first) for name, dtype, shape, first in PER_EVENT),
    *(Field(name, dtype, (len(SIGNALS), *shape), first) for name, dtype, shape, first in PER_SIGNAL),
)


@dataclass(frozen=True, slots=True)
class Section:
    """Columns that are written, read and versioned together."""

    name: str
    version: int
    own: tuple[Field, ...]
    evidence: tuple[Field, ...] = ()  # of a signal's events: a part of the table's evidence
    young: tuple[Field, ...] = ()  # all that there is of `own` while few queries are remembered

    @property
    def fields(self) -> tuple[Field, ...]:
        """All columns."""
        return self.own + self.evidence

    @property
    def dtype(self) -> np.dtype[Any]:
        """One client's bytes: the fields one after the other, little endian."""
        return packed(self.fields)


@cache
def packed(fields: tuple[Field, ...]) -> np.dtype[Any]:
    """Return what holds the fields of one client one after the other, little endian."""
    return np.dtype([(field.name, np.dtype(field.dtype).newbyteorder("<"), field.shape) for field in fields])


def _section(signal: Signal) -> Section:
    """Return a signal's section: its own fields, then the evidence of its events."""
    counted = (Field(name, dtype, (len(signal.events), *shape), first) for name, dtype, shape, first in PER_EVENT)
    return Section(signal.name, signal.version, signal.fields, (*counted, *PER_SIGNAL))


OF_SIGNALS: Final = tuple(_section(signal) for signal in SIGNALS)


def sections(window: int) -> tuple[Section, ...]:
    """Return all sections of a client whose windows hold `window` scored queries; the first is the head."""
    return (
        Section("head", 1, HEAD),
        Section("heard", 1, HEARD),
        Section("memory", 5, memory.FIELDS, young=memory.fields(memory.YOUNG)),
        Section("window", 1, window_fold.fields(window)),
        Section("examples", 1, examples.FIELDS),
        Section("leakage", 1, leakage.FIELDS),
        *OF_SIGNALS,
    )


class Table:
    """The slots of one model's clients. `head`, `heard`, … are columns by field name, first axis = slot.

    `light`: no population, so nothing but the head is held. `evidence` holds the columns of PER_EVENT and
    PER_SIGNAL over the events and signals of all signals; the signals' sections are views of it.
    """

    def __init__(self, window: int, light: bool = False) -> None:
        self.sections: Sequence[Section] = sections(window)[: 2 if light else None]
        self.light = light
        self.slots: dict[str, int] = {}
        self.names: list[str | None] = []
        self.tenants: list[str | None] = []
        self.touched = np.zeros(0, np.int64)  # when the process last heard of it: for eviction, never for a verdict
        self.dirty = np.zeros(0, np.bool_)  # not in a snapshot as it is
        self.columns: dict[str, dict[str, npt.NDArray[Any]]] = {}
        self.evidence: dict[str, npt.NDArray[Any]] = {}
        self._free: list[int] = []
        self._grow(FIRST_SLOTS)

    @property
    def head(self) -> dict[str, npt.NDArray[Any]]:
        """The columns that no upgrade loses."""
        return self.columns["head"]

    @property
    def slots_bytes(self) -> int:
        """Memory of the slots that hold clients, or did. There is room for more, which takes none before it is used."""
        return len(self.names) * sum(section.dtype.itemsize for section in self.sections)

    def __len__(self) -> int:
        return len(self.slots)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self.slots.items())

    def slot(self, client: str) -> int:
        """Return the client's slot; a client not in memory gets an empty one."""
        found = self.slots.get(client)
        if found is not None:
            return found
        slot = self._free.pop() if self._free else len(self.names)
        if slot == len(self.names):
            self._append(slot)
        self.names[slot] = client
        self.slots[client] = slot
        digest = hashlib.blake2b(client.encode(), digest_size=8).digest()
        self.head["seed"][slot] = int.from_bytes(digest, "little")
        return slot

    def reserve(self, clients: int) -> None:
        """Make room for so many clients that are not in memory yet."""
        wanted = len(self.names) + clients - len(self._free)
        capacity = len(self.head["seed"])
        if wanted > capacity:
            self._grow(max(wanted, 2 * capacity))

    def drop(self, client: str) -> None:
        """Forget a client; its slot is emptied and used again."""
        slot = self.slots.pop(client)
        self.names[slot] = None
        self.tenants[slot] = None
        self.dirty[slot] = False
        for section in self.sections:
            self.clear(slot, section)
        self._free.append(slot)

    def clear(self, slot: int, section: Section) -> None:
        """Empty one section of one slot."""
        for field in section.fields:
            self.columns[section.name][field.name][slot] = field.initial

    def forget(self, slot: int) -> None:
        """Empty everything that was seen through a population; standing, serial, episode and queries stay."""
        for section in self.sections[2:]:
            self.clear(slot, section)
        self.head["windows"][slot] = 0
        self.head["age"][slot] = 0
        self.head["spent"][slot] = 0

    def begin(self, slot: int) -> None:
        """Begin fresh e-processes: no evidence so far. The memory of queries and the open window stay."""
        for field in (*PER_EVENT, *PER_SIGNAL):
            if field.name in self.evidence and field.name not in OPEN:
                self.evidence[field.name][slot] = field.initial
        for field in examples.FIELDS if not self.light else ():
            self.columns["examples"][field.name][slot] = field.initial
        self.head["age"][slot] = 0

    def discard(self, slot: int) -> None:
        """Forget what the open window has counted so far; its queries still count towards its length."""
        for name in OPEN if not self.light else ():
            self.evidence[name][slot] = 0

    def _append(self, slot: int) -> None:
        if slot == len(self.head["seed"]):
            self._grow(2 * slot)
        self.names.append(None)
        self.tenants.append(None)

    def _grow(self, capacity: int) -> None:
        """Make room. The signals' views of the evidence are made anew: nobody holds a column while it grows."""
        self.touched, self.dirty = room.longer(self.touched, capacity), room.longer(self.dirty, capacity)
        for name in SPANS.keys() & self.columns.keys():
            for field in (*PER_EVENT, *PER_SIGNAL):
                del self.columns[name][field.name]
        for field in () if self.light else EVIDENCE:
            _lengthen(self.evidence, field, capacity)
        for section in self.sections:
            columns, shared = self.columns.setdefault(section.name, {}), evidence_of(section, self.evidence)
            for field in section.fields:
                if field.name not in shared:
                    _lengthen(columns, field, capacity)
            columns |= shared


def evidence_of(section: Section, evidence: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return a signal's part of columns like EVIDENCE; nothing for the other sections."""
    if not section.evidence or not evidence:
        return {}
    at, start, stop = SPANS[section.name]
    events = {field.name: evidence[field.name][:, start:stop] for field in PER_EVENT}
    return events | {field.name: evidence[field.name][:, at] for field in PER_SIGNAL}


def _lengthen(columns: dict[str, npt.NDArray[Any]], field: Field, capacity: int) -> None:
    """Give a column, there or not, `capacity` slots; new ones hold the initial value."""
    columns.setdefault(field.name, np.zeros((0, *field.shape), field.dtype))
    first = len(columns[field.name])
    columns[field.name] = room.longer(columns.pop(field.name), capacity)
    if field.initial:
        columns[field.name][first:] = field.initial
