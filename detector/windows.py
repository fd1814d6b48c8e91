"""Watch: one model's clients under one population, from queries to closed windows. No evidence is weighed here.

queries -> counted, repeated ids set aside -> features -> memory -> signals -> windows -> what windows say
"""

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import examples, features, leakage, memory, names, window_fold
from detector.clients import IDS, Table
from detector.compiled import lean
from detector.examples import Waiting
from detector.features import Features
from detector.names import Names
from detector.population import Population
from detector.query import Queries
from detector.signals import EVENTS, QUERY_EVENTS, ROW, SIGNALS, SPANS
from detector.signals.base import Batch, Flags, Ints

MOVING: Final = np.array([event.moving for event in EVENTS])


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
        of = np.zeros(max(len(queries.clients), 1), np.int64)
        for client in np.flatnonzero(np.bincount(queries.client)).tolist():
            slot = self.table.slot(queries.clients[client])
            of[client] = slot
            self.table.tenants[slot] = queries.tenants[client]
        return of[queries.client]

    def _folded(self, queries: Queries, slot: Ints) -> tuple[Closed, _Found | None]:
        counted, fresh = self._hear(queries, slot)
        rows = np.flatnonzero(fresh)
        if self.population is None or len(rows) == 0:
            return _nothing(), None
        closing = window_fold.closings(self.table.columns["window"], slot[rows])
        named = names.of(queries, counted)[rows]
        scored = queries if len(rows) == len(queries) else queries.take(rows)
        batch, learnt = self._batch(self.population, scored, (slot[rows], named), closing)
        hit, trial = self._signals(self.population, batch)
        cut = self._cut(batch, hit, trial)
        row = rows[cut.row]
        counts = (cut.hits.astype(np.uint16), cut.trials.astype(np.uint16))
        closed = Closed(cut.slot, cut.window, row, counted[row], *counts, _rows(cut), learnt)
        return judge(self.population, closed), _Found(self.population, rows, batch, hit, cut.row)

    def _waiting(self, closed: Closed, found: _Found) -> Waiting:
        """Return the hits of queries and of windows, by rows of all queries."""
        who = (found.closing, closed.slot, found.batch.name[found.closing])
        hits = examples.joined(
            [
                *examples.of_queries(found.batch, found.hit, found.population),
                *examples.of_windows(who, closed.hits, closed.rows, found.population),
            ]
        )
        return Waiting(self.table.columns["examples"], hits._replace(row=found.rows[hits.row]))

    def _hear(self, queries: Queries, slot: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Flags]:
        """Count every query; return the counts and which queries are to be scored (no 4xx, no repeated id)."""
        head, heard = self.table.head, self.table.columns["heard"]
        ids = queries.id[:, 0] ^ (queries.id[:, 1] * np.uint64(0x9E3779B97F4A7C15))
        counted, fresh = np.zeros(len(slot), np.int64), np.zeros(len(slot), np.bool_)
        scored = np.array(queries.scored, np.bool_)
        columns = (head["queries"], head["scored"], head["last"], heard["ids"], heard["next"])
        _count(columns, (slot, np.array(queries.time), ids, scored), (counted, fresh))
        return counted, fresh

    def leakage(self, slot: int) -> float:
        """Return how much of the model a client has learnt by now; NaN: unknown."""
        if self.population is None:
            return math.nan
        known = leakage.known(self.table.columns["leakage"], self._points, slot)
        return float(leakage.figures(self.population, self._points, known)[0])

    def _batch(
        self, population: Population, queries: Queries, who: tuple[Ints, Names], closing: Ints
    ) -> tuple[Batch, npt.NDArray[np.float64]]:
        """Return the scored queries with what they are to their clients' earlier ones, and the windows' leakage."""
        slot, named = who
        scales = memory.scales(population)
        label = np.array(queries.label)
        has_input = np.array(queries.has_input)
        if not self._readable(queries) or np.isnan(scales.r + scales.udist):
            has_input[:] = False
        seen = self._features(queries, has_input, label)
        asked = memory.asked((slot, has_input, label, named), seen, population)
        related = memory.relate(self.table.columns["memory"], self.table.head["seed"], asked, scales)
        told = leakage.Seen(slot, label, has_input, related.repeat, asked.ux, seen.cell, closing)
        learnt = leakage.follow(self.table.columns["leakage"], self._points, told)
        batch = Batch(
            slot=slot,
            label=label,
            has_input=has_input,
            margin_low=np.array(queries.margin_low),
            margin_high=np.array(queries.margin_high),
            **{name: getattr(seen, name) for name in ("z", "c", "sc", "tex", "cell", "dc", "res", "sm", "foreign")},
            name=named,
            part=np.full(len(slot), np.nan, np.float32),
            **related._asdict(),
        )
        return batch, leakage.figures(population, self._points, learnt)

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
        hit = np.zeros((len(batch), len(EVENTS)), np.bool_)
        trial = np.zeros((len(batch), len(EVENTS)), np.bool_)
        for signal in SIGNALS:
            if signal.fold is None:
                continue
            start = SPANS[signal.name][1]
            for event, (hits, trials) in enumerate(signal.fold(batch, self.table.columns[signal.name], population)):
                trial[:, start + event] = trials
                hit[:, start + event] = hits & trials
        return hit, trial

    def _cut(self, batch: Batch, hit: Flags, trial: Flags) -> window_fold.Cut:
        margin = (batch.margin_low + batch.margin_high) / np.float32(2)
        seen = window_fold.Seen(batch.slot, batch.has_input, batch.label, batch.cell, margin, batch.z)
        evidence = self.table.evidence
        tally = window_fold.Tally(evidence["open_hits"], evidence["open_trials"], hit, trial, MOVING)
        return window_fold.cut(self.table.columns["window"], self.table.head["windows"], seen, tally)


def judge(population: Population, closed: Closed) -> Closed:
    """Return the windows with the hits and trials of the events that are read off whole windows."""
    for signal in SIGNALS:
        if signal.read is None:
            continue
        start = SPANS[signal.name][1]
        for event, (hit, trial) in enumerate(signal.read(closed.rows, population)):
            closed.trials[:, start + event] = trial
            closed.hits[:, start + event] = hit & trial
    return closed


def _rows(cut: window_fold.Cut) -> npt.NDArray[np.float32]:
    """Return the window rows f4[m, R]: event rates, entropies, mean margin."""
    rows = np.full((len(cut.slot), len(ROW)), np.nan, np.float32)
    trials = cut.trials[:, QUERY_EVENTS]
    np.divide(cut.hits[:, QUERY_EVENTS], trials, out=rows[:, : len(QUERY_EVENTS)], where=trials > 0, casting="unsafe")
    rows[:, len(QUERY_EVENTS) :] = cut.ends
    return rows


def _nothing() -> Closed:
    none = np.zeros(0, np.int64)
    counts = np.zeros((0, len(EVENTS)), np.uint16)
    return Closed(none, none, none, none, counts, counts, np.zeros((0, len(ROW)), np.float32), np.zeros(0))


@lean
def _count(columns: Any, batch: Any, out: Any) -> None:
    queries, scores, last, ids, places = columns
    slots, time, asked, scored = batch
    counted, fresh = out
    for row in range(slots.shape[0]):
        slot = slots[row]
        queries[slot] += 1
        last[slot] = max(last[slot], time[row])
        counted[row] = queries[slot]
        if scored[row] and not _heard(ids[slot], asked[row], places[slot]):
            ids[slot, places[slot] % IDS] = asked[row]
            places[slot] += 1
            scores[slot] += 1
            fresh[row] = True


@lean
def _heard(ids: Any, asked: Any, count: int) -> bool:
    found = False
    for place in range(min(count, IDS)):
        found = found or ids[place] == asked
    return found
