"""Profile: where the time of a query goes, stage by stage, from decoded queries to verdicts.

Honest clients, and one thief in ten, ask a made-up model of ten classes; a small population is learnt in the run.
Inputs are images where N is a square or three times one, else rows of a table. A stage is timed by a wrapper around
the detector's own function, in CPU time, and is not charged for the stages that it calls.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.world import MODEL, World, taught
from detector import (
    examples,
    features,
    judge,
    leakage,
    memory,
    names,
    post,
    signals,
    window_fold,
    windows,
)
from detector.detector import Detector
from detector.policy import Policy
from detector.query import Queries
from detector.signals.base import Signal

BATCH: Final = 4_096
ROUNDS: Final = 3  # the fastest is told


class Stage(NamedTuple):
    """A function that is timed."""

    name: str
    owner: Any
    function: str


STAGES: Final = (
    Stage("slots, counts, repeated ids", windows.Watch, "seats"),
    Stage("slots, counts, repeated ids", windows.Watch, "_hear"),
    Stage("copied rows", Queries, "take"),
    Stage("features", features, "look"),
    Stage("names", names, "of"),
    Stage("memory", memory, "asked"),
    Stage("memory", memory, "relate"),
    Stage("leakage", leakage, "follow"),
    Stage("leakage", leakage, "figures"),
    Stage("signals: rest", windows.Watch, "_signals"),
    Stage("windows", window_fold, "closings"),
    Stage("windows", window_fold, "cut"),
    Stage("windows", windows, "judge"),
    Stage("examples", windows.Watch, "_waiting"),
    Stage("examples", examples.Waiting, "keep"),
    Stage("evidence", judge.Judge, "weigh"),
    Stage("verdicts", post.Post, "_verdict"),
)
REST: Final = "rest"


class Clock:
    """CPU time by stage, ns."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inside = [REST]
        self._since = time.thread_time_ns()

    def enter(self, stage: str) -> None:
        """Charge the present stage and begin another inside it."""
        self._charge()
        self._inside.append(stage)

    def leave(self) -> None:
        """Charge the present stage and go back to the one around it."""
        self._charge()
        self._inside.pop()

    def _charge(self) -> None:
        now = time.thread_time_ns()
        self.spent[self._inside[-1]] += now - self._since
        self._since = now

    def timed(self, stage: Stage, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time charged to the stage."""

        def charged(*given: Any, **named: Any) -> Any:
            self.enter(stage.name)
            try:
                return function(*given, **named)
            finally:
                self.leave()

        return charged


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--numbers", type=int, default=784, metavar="N", help="numbers in an input")
    parser.add_argument("--clients", type=int, default=200, metavar="N")
    parser.add_argument("--queries", type=int, default=20_000, metavar="N")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Learn a population, judge the queries and return µs a query by stage."""
    random = np.random.default_rng(0)
    world = World(random, chosen.numbers)
    population = taught(world)
    asked = world.asked("client", chosen.clients, chosen.queries)
    whole = _assessed(Detector(Policy(), {MODEL: population}), asked)  # compiles, too
    best: Counter[str] = Counter()
    for _ in range(ROUNDS):
        detector = Detector(Policy(), {MODEL: population})
        clock = Clock()
        with wrapped(clock):
            _assessed(detector, asked)
        clock.leave()
        best = clock.spent if not best or clock.spent.total() < best.total() else best
    note = f"{'x'.join(map(str, world.shape))}, {chosen.clients} clients, {chosen.queries:,} queries, {whole} verdicts"
    return {"rows": list(_rows(best, chosen.queries)), "note": note}


def _rows(spent: Counter[str], queries: int) -> Iterator[dict[str, Any]]:
    for name, nanoseconds in spent.most_common():
        yield _row(name, nanoseconds, queries, spent.total())
    yield _row("all", spent.total(), queries, spent.total())


def _row(name: str, nanoseconds: int, queries: int, whole: int) -> dict[str, Any]:
    used, share = nanoseconds / queries / 1e3, nanoseconds / whole
    return {"stage": name, "µs a query": f"{used:.2f}", "share": f"{share:.1%}"}


def _assessed(detector: Detector, asked: Queries) -> int:
    """Return how many verdicts the queries lead to."""
    batches = (asked.take(slice(at, at + BATCH)) for at in range(0, len(asked), BATCH))
    return sum(len(detector.assess(batch)) for batch in batches)


@contextmanager
def wrapped(clock: Clock) -> Iterator[None]:
    """Charge the stages to the clock while it lasts."""
    before = [(stage.owner, stage.function, getattr(stage.owner, stage.function)) for stage in STAGES]
    before.append((windows, "SIGNALS", signals.SIGNALS))
    for stage in STAGES:
        setattr(stage.owner, stage.function, clock.timed(stage, getattr(stage.owner, stage.function)))
    vars(windows)["SIGNALS"] = tuple(_timed(signal, clock) for signal in signals.SIGNALS)
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _timed(signal: Signal, clock: Clock) -> Signal:
    stage = Stage(f"signal: {signal.name}", None, "")
    fold = None if signal.fold is None else clock.timed(stage, signal.fold)
    return replace(signal, fold=fold, read=None if signal.read is None else clock.timed(stage, signal.read))
