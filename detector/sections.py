"""Sections: what a client's slot holds, as named and versioned groups of columns.

Standing, serial and episode live in the section `head`; what a signal needs lives in a section of its own, so that an
upgrade of one signal loses that signal's memory only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector import examples, leakage, memory, window_fold
from detector.signals import EVENTS, SIGNALS, SPANS
from detector.signals.base import Field, Signal

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


def sections(window: int) -> tuple[Section, ...]:
    """Return all sections of a client whose windows hold `window` scored queries; the first is the head."""
    return (
        Section("head", 1, HEAD),
        Section("heard", 1, HEARD),
        Section("memory", 5, memory.FIELDS, young=memory.fields(memory.YOUNG)),
        Section("window", 1, window_fold.fields(window)),
        Section("examples", 1, examples.FIELDS),
        Section("leakage", 1, leakage.FIELDS),
        *map(_section, SIGNALS),
    )


def evidence_of(section: Section, evidence: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return a signal's part of columns like EVIDENCE; nothing for the other sections."""
    if not section.evidence or not evidence:
        return {}
    at, start, stop = SPANS[section.name]
    events = {field.name: evidence[field.name][:, start:stop] for field in PER_EVENT}
    return events | {field.name: evidence[field.name][:, at] for field in PER_SIGNAL}
