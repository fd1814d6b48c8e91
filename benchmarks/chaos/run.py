"""One run: a stream, a schedule of faults, and the comparison at the end."""

import heapq
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.chaos import oracle
from benchmarks.chaos.faults import Fault, schedule
from benchmarks.chaos.oracle import Differences
from benchmarks.chaos.stage import PARTITIONS, Stage, built, predictions
from benchmarks.chaos.stream import keep, make
from benchmarks.chaos.watch import Watch
from benchmarks.chaos.writing import Writing
from consumers.kafka import written
from detector.population import Population

DRAIN_SECONDS = 60.0  # for each of: the records, the deliveries (a lease of a killed sender is 30 s), the table


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run goes; the same plan gives the same stream and the same faults at the same times."""

    seed: int
    seconds: float = 120.0
    clients: int = 2_000
    every: float = 8.0  # seconds from fault to fault


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    seed: int
    faults: list[str]
    written: int
    longest_gap_seconds: float
    recovery_seconds: float
    differences: Differences = field(default_factory=Differences)

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled or other than a replay has it."""
        found = self.differences
        return not (found.lost or found.doubled or found.differing)


class NoStream(RuntimeError):  # noqa: N818  # named for what happened
    """The stream itself did not reach the topic as it is: the run says nothing."""


def run(plan: Plan, population: Population, folder: Path) -> Outcome:
    """Run a plan in an empty folder. Raises NoStream where the stream was not written exactly."""
    stream = make(plan.seed, plan.clients, PARTITIONS)
    keep(stream, folder / "stream.gkb")
    expected = oracle.ask(folder / "stream.gkb", population)
    chance = Random(plan.seed)  # noqa: S311  # no secret
    faults = schedule(chance, plan.seconds, plan.every)
    with built(folder, population) as stage:
        stage.begin()
        watch = Watch(stage.engine)
        watch.start()
        writing = Writing(stage.kafka.url, predictions(), stream, plan.seconds)
        writing.start()
        _play(stage, faults, chance, writing.is_alive)
        if writing.failures or written(stage.kafka.url, predictions()) != len(stream):
            raise NoStream(f"the stream was not written exactly: {writing.failures[:3]}")
        _drain(stage, expected.totals.read)
        watch.stop()
        return Outcome(
            seed=plan.seed,
            faults=[fault.__name__ for _, fault in faults],
            written=sum(sent.predictions for sent in stream),
            longest_gap_seconds=max(watch.gap(since, stage.down) for since in stage.moved),
            recovery_seconds=_recovery(folder),
            differences=oracle.compare(stage, expected),
        )


def _play(stage: Stage, faults: list[tuple[float, Fault]], chance: Random, writing: Callable[[], bool]) -> None:
    """Let the faults happen, each at its time, and then what they lead to, until all of the stream is written."""
    order = itertools.count()  # of what falls on the same time: functions have none
    begun = time.monotonic()
    due = [(when, next(order), fault) for when, fault in faults]
    heapq.heapify(due)
    while due or writing():
        stage.supervisor.tend()
        now = time.monotonic() - begun
        if due and due[0][0] <= now:
            _, _, happen = heapq.heappop(due)
            for delay, later in happen(stage, chance) or ():
                heapq.heappush(due, (time.monotonic() - begun + delay, next(order), later))
        time.sleep(0.02)
    for server in stage.returning:
        stage.wait_for(server)


def _drain(stage: Stage, read: int) -> None:
    """Wait, not for ever, until everything is accounted for and has arrived; then send the workers away."""
    stage.until(lambda: sum(oracle.accounted(stage)) >= read, DRAIN_SECONDS)
    stage.until(lambda: oracle.settled(stage), DRAIN_SECONDS)
    stage.until(lambda: oracle.caught_up(stage), DRAIN_SECONDS)
    stage.end()


def _recovery(folder: Path) -> float:
    """Return the longest time that a worker took to claim a partition, as the workers' logs have it."""
    lines = [line for log in folder.glob("detect-*.log") for line in log.read_text(errors="replace").splitlines()]
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return max(float(event["seconds"]) for event in events if event.get("event") == "partition claimed")
