"""Slots: what is remembered of each client of one model, as columns (struct of arrays), by section."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector import examples, room, rows
from detector.sections import EVIDENCE, OPEN, PER_EVENT, PER_SIGNAL, Section, evidence_of, sections
from detector.signals import SPANS
from detector.signals.base import Field

FIRST_SLOTS: Final = 64


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
        self.forms = rows.forms(self.sections)
        self.bytes: tuple[rows.Bytes, ...] = ()  # the columns once more, see `rows.columns`
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
            self.reserve(1)
            self.names.append(None)
            self.tenants.append(None)
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

    def _grow(self, capacity: int) -> None:
        """Make room. Other views of the columns are made anew: nobody holds a column while it grows."""
        self.bytes = ()
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
        self.bytes = rows.columns(self.sections, self.columns, self.evidence)


def _lengthen(columns: dict[str, npt.NDArray[Any]], field: Field, capacity: int) -> None:
    """Give a column, there or not, `capacity` slots; new ones hold the initial value."""
    columns.setdefault(field.name, np.zeros((0, *field.shape), field.dtype))
    first = len(columns[field.name])
    columns[field.name] = room.longer(columns.pop(field.name), capacity)
    if field.initial:
        columns[field.name][first:] = field.initial
