"""Watch: one model's clients under one population, from queries to closed windows. No evidence is weighed here.

queries -> counted, repeated ids set aside -> features -> memory -> signals -> windows -> what windows say
"""

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import examples, features, leakage, memory, names, window_fold
from detector.clients import Table
from detector.compiled import lean
from detector.examples import Told, Waiting
from detector.features import Features
from detector.leakage import Known
from detector.names import Names
from detector.population import Population
from detector.query import Queries
from detector.sections import IDS
from detector.signals import EVENTS, QUERY_EVENTS, ROW, SIGNALS, SPANS
from detector.signals.base import Batch, Flags, Ints, Outcomes

MOVING: Final = np.array([event.moving for event in EVENTS])
MIXED: Final = np.uint64(0x9E3779B97F4A7C15)  # makes one number of an id's two
RATED: Final = np.array(QUERY_EVENTS)


@dataclass(frozen=True, slots=True)
class Closed:
    """Windows that closed, in the order of their closing queries. [m] windows, [E] events of `signals.EVENTS`."""

    slot: npt.NDArray[np.int64]
    window: npt.NDArray[np.int64]  # 0, 1, … of the client
    row: npt.NDArray[np.int64]  # the closing query in the batch
    queries: npt.NDArray[np.int64]  # the client's readable queries so far, scored or not
    hits: npt.NDArray[np.uint16]  # [m, E]
    trials: npt.NDArray[np.uint16]  # [m, E] 0: nothing is known of the event
    rows: npt.NDArray[np.float32]  # [m, R] columns of `signals.ROW`, each 0..1 or NaN
    leakage: npt.NDArray[np.float64]  # [m] how much of the model the client had learnt then; NaN: unknown

    def __len__(self) -> int:
        return len(self.slot)


class _Found(NamedTuple):
    """What was found of a batch's scored queries, from which examples are taken. [n] queries, [m] windows."""

    population: Population
    rows: npt.NDArray[np.int64]  # [n] of all queries
    batch: Batch
    hit: Flags  # [n, E]
    closing: npt.NDArray[np.int64]  # [m] rows of `batch` that close windows


class Watch:
    """The clients of one model. Without a population queries are counted, never scored."""

    def __init__(self, population: Population | None, window: int) -> None:
        self.population = population
        self.window = window
        self.table = Table(window, light=population is None)
        self._glass = None if population is None else features.lens(population)
        self._points = None if population is None else leakage.points(population)
        if population is not None:
            for signal in SIGNALS:
                signal.prepare(population)

    @property
    def names(self) -> list[str | None]:
        """Clients by slot."""
        return self.table.names

    def fold(self, queries: Queries) -> Closed:
        """Take queries in stream order and return the windows that they close; examples are left out."""
        return self._folded(queries, self.seats(queries))[0]

    def look(self, queries: Queries, slot: Ints) -> tuple[Closed, Waiting | None]:
        """Take queries in stream order; return the windows that they close, and their hits as examples."""
        closed, found = self._folded(queries, slot)
        return closed, None if found is None else self._waiting(closed, found)

    def seats(self, queries: Queries) -> Ints:
        """Return each query's slot; each client's tenant becomes the one last stated."""
        of, slots = [0] * len(queries.clients), self.table.slots
        asking = sorted(set(queries.client.tolist()))
        self.table.reserve(sum(queries.clients[client] not in slots for client in asking))
        for client in asking:
            name = queries.clients[client]
            of[client] = slot = slots[name] if name in slots else self.table.slot(name)
            self.table.tenants[slot] = queries.tenants[client]
        return np.array(of, np.int64)[queries.client]

    def _folded(self, queries: Queries, slot: Ints) -> tuple[Closed, _Found | None]:
        counted, fresh = self._hear(queries, slot)
        rows = fresh.nonzero()[0]
        if self.population is None or len(rows) == 0:
            return _nothing(), None
        closing, closings = window_fold.closings(self.table.columns["window"], slot[rows])
        scored = queries if len(rows) == len(queries) else queries.take(rows)
        who = (slot[rows], names.of(scored, counted[rows]))
        batch, known = self._batch(self.population, scored, who, (closing, closings))
        hit, trial = self._signals(self.population, batch)
        cut = self._cut(batch, (hit, trial), closings)
        row, learnt = rows[cut.row], leakage.figures(self.population, self._points, known)
        closed = Closed(cut.slot, cut.window, row, counted[row], cut.hits, cut.trials, cut.rows, learnt)
        return judge(self.population, closed), _Found(self.population, rows, batch, hit, cut.row)

    def _waiting(self, closed: Closed, found: _Found) -> Waiting:
        """Return the hits of queries and of windows, by rows of all queries."""
        row, slot, name = found.rows, found.batch.slot, found.batch.name
        parts = [(Told(row, slot, name), examples.of_queries(found.hit, found.batch, found.population))]
        if len(closed):
            last = Told(closed.row, closed.slot, name[found.closing])
            parts.append((last, examples.of_windows(closed.hits, closed.rows, found.population)))
        return Waiting(self.table.columns["examples"], parts)

    def _hear(self, queries: Queries, slot: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Flags]:
        """Count every query; return the counts and which queries are to be scored (no 4xx, no repeated id)."""
        head, heard = self.table.head, self.table.columns["heard"]
        counted, fresh = np.zeros(len(slot), np.int64), np.zeros(len(slot), np.bool_)
        columns = (head["queries"], head["scored"], head["last"], heard["ids"], heard["next"])
        # copies: a loop is compiled once more for columns that are read-only or a part of others
        asked = (slot, np.array(queries.time), np.array(queries.id, order="C"), np.array(queries.scored, np.bool_))
        _count(columns, asked, (counted, fresh))
        return counted, fresh

    def leakage(self, slot: int) -> float:
        """Return how much of the model a client has learnt by now; NaN: unknown."""
        if self.population is None:
            return math.nan
        known = leakage.known(self.table.columns["leakage"], self._points, slot)
        return float(leakage.figures(self.population, self._points, known)[0])

    def _batch(
        self, population: Population, queries: Queries, who: tuple[Ints, Names], closing: tuple[Ints, int]
    ) -> tuple[Batch, Known]:
        """Return the scored queries with what they are to their clients' earlier ones, and what windows' clients know.

        `closing`: which window each query closes, and how many close.
        """
        slot, named = who
        label = np.array(queries.label)
        has_input = np.array(queries.has_input)
        scales = memory.scales(population)
        if not self._readable(queries) or math.isnan(scales.r + scales.udist):
            has_input[:] = False
        seen = self._features(queries, has_input, label)
        asked = memory.asked((slot, has_input, label, named), seen)
        related = memory.relate(self.table.columns["memory"], self.table.head["seed"], asked, scales)
        told = leakage.Seen(slot, label, has_input, related.repeat, asked.ux, seen.cell, closing[0], asked.order)
        known = leakage.follow(self.table.columns["leakage"], self._points, told, closing[1])
        batch = Batch(
            slot=slot,
            order=asked.order,
            label=label,
            has_input=has_input,
            margin_low=np.array(queries.margin_low),
            margin_high=np.array(queries.margin_high),
            **{name: getattr(seen, name) for name in ("z", "c", "sc", "tex", "cell", "dc", "res", "sm", "foreign")},
            name=named,
            **related._asdict(),
        )
        return batch, known

    def _readable(self, queries: Queries) -> bool:
        """Tell whether the inputs are of the population's size, and it has learnt how to look at them."""
        return (
            self._glass is not None and queries.input is not None and queries.input.shape[1] == self._glass.layout.size
        )

    def _features(self, queries: Queries, has_input: Flags, label: npt.NDArray[np.int64]) -> Features:
        """Return the features of the queries that have an input; unknown for the others."""
        count = len(label)
        if self._glass is None or queries.input is None or not has_input.any():
            return features.unknown(count)
        if has_input.all():
            return features.look(self._glass, queries.input, label)
        rows = np.flatnonzero(has_input)
        return features.spread(features.look(self._glass, queries.input[rows], label[rows]), rows, count)

    def _signals(self, population: Population, batch: Batch) -> tuple[Flags, Flags]:
        """Return hits and trials of the events of single queries, b1[n, E]."""
        hit, trial = np.zeros((2, len(batch.slot), len(EVENTS)), np.bool_)
        for signal in SIGNALS:
            if signal.fold is not None:
                out = Outcomes(hit, trial, SPANS[signal.name][1])
                signal.fold(batch, self.table.columns[signal.name], population, out)
        hit &= trial
        return hit, trial

    def _cut(self, batch: Batch, outcomes: tuple[Flags, Flags], closing: int) -> window_fold.Cut:
        margin = (batch.margin_low + batch.margin_high) / np.float32(2)
        seen = window_fold.Seen(batch.slot, batch.has_input, batch.label, batch.cell, margin, batch.z)
        evidence = self.table.evidence
        tally = window_fold.Tally(evidence["open_hits"], evidence["open_trials"], *outcomes, MOVING, RATED)
        return window_fold.cut(self.table.columns["window"], self.table.head["windows"], (seen, tally), closing)


def judge(population: Population, closed: Closed) -> Closed:
    """Return the windows with the hits and trials of the events that are read off whole windows."""
    for signal in SIGNALS if len(closed) else ():
        if signal.read is not None:
            _, start, stop = SPANS[signal.name]
            signal.read(closed.rows, population, Outcomes(closed.hits, closed.trials, start))
            closed.hits[:, start:stop] *= closed.trials[:, start:stop]
    return closed


def _nothing() -> Closed:
    none = np.zeros(0, np.int64)
    counts = np.zeros((0, len(EVENTS)), np.uint16)
    return Closed(none, none, none, none, counts, counts, np.zeros((0, len(ROW)), np.float32), np.zeros(0))


@lean
def _count(columns: Any, batch: Any, out: Any) -> None:
    queries, scores, last, ids, places = columns
    slots, time, id_of, scored = batch
    counted, fresh = out
    for row in range(slots.shape[0]):
        slot = slots[row]
        queries[slot] += 1
        last[slot] = max(last[slot], time[row])
        counted[row] = queries[slot]
        asked = id_of[row, 0] ^ (id_of[row, 1] * MIXED)
        if scored[row] and not _heard(ids[slot], asked, places[slot]):
            ids[slot, places[slot] % IDS] = asked
            places[slot] += 1
            scores[slot] += 1
            fresh[row] = True


@lean
def _heard(ids: Any, asked: Any, count: int) -> bool:
    found = False
    for place in range(min(count, IDS)):
        found = found or ids[place] == asked
    return found
