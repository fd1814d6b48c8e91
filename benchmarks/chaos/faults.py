"""What is done to the road: a registry of faults, and the seeded schedule of a run.

A fault happens to a stage and returns what is to happen later because of it.
"""

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

from benchmarks.chaos.stage import Stage

SLEEP_SECONDS = 9.0  # of a stopped worker: its session of 6 s is over well before
AWAY_SECONDS = (0.5, 4.0)  # of the broker or the database, before it is started again
QUIET_SECONDS = 12.0  # at the end without a fault, so that the last one's consequences are seen

Later = tuple[float, Callable[[Stage, Random], Any]]  # seconds from now, what
Fault = Callable[[Stage, Random], list[Later]]


def kill(stage: Stage, chance: Random) -> list[Later]:
    """Kill a worker; the supervisor starts it again."""
    name = stage.worker(chance)
    stage.moved.append(time.time())
    stage.signal(name, signal.SIGKILL)
    return []


def sleep(stage: Stage, chance: Random) -> list[Later]:
    """Stop a worker for longer than its session, then let it wake."""
    name = stage.worker(chance)
    stage.moved.append(time.time())
    stage.asleep.add(name)
    stage.signal(name, signal.SIGSTOP)
    return [(SLEEP_SECONDS, partial(_wake, name=name))]


def leave(stage: Stage, chance: Random) -> list[Later]:
    """Send a worker away in order; a new one comes a little later."""
    name = stage.worker(chance)
    stage.moved.append(time.time())
    stage.leave(name)
    return [(chance.uniform(1.0, 6.0), join)]


def join(stage: Stage, _chance: Random) -> list[Later]:
    """Start one more worker."""
    stage.join()
    return []


def broker(stage: Stage, chance: Random) -> list[Later]:
    """Kill the broker; it comes back with what it had acknowledged."""
    stage.wait_for("kafka")
    gone = time.time()
    stage.kafka.kill()
    return [(chance.uniform(*AWAY_SECONDS), partial(_back, server="kafka", gone=gone))]


def database(stage: Stage, chance: Random) -> list[Later]:
    """Shut Postgres down at once; it comes back with what was committed."""
    stage.wait_for("postgres")
    gone = time.time()
    stage.crash_database()
    return [(chance.uniform(*AWAY_SECONDS), partial(_back, server="postgres", gone=gone))]


def deliver(stage: Stage, _chance: Random) -> list[Later]:
    """Kill the process that delivers; the supervisor starts it again."""
    stage.signal("deliver", signal.SIGKILL)
    return []


MOVING: tuple[Fault, ...] = (kill, sleep, leave)  # a worker's partitions move
OTHERS: tuple[Fault, ...] = (join, broker, database, deliver)
FAULTS: tuple[Fault, ...] = MOVING + OTHERS


def schedule(chance: Random, seconds: float, every: float) -> list[tuple[float, Fault]]:
    """Return when which fault happens: one about every `every` seconds, each kind once before any comes again."""
    times = [every * (at + chance.uniform(0.2, 1.0)) for at in range(int((seconds - QUIET_SECONDS) / every))]
    return list(zip(times, _shuffled(chance), strict=False))


def _shuffled(chance: Random) -> Iterator[Fault]:
    """Yield the faults without end. Between two that move partitions there is another: their gaps are told apart."""
    while True:
        moving, others = chance.sample(MOVING, len(MOVING)), chance.sample(OTHERS, len(OTHERS))
        yield others.pop()
        for fault in moving:
            yield fault
            yield others.pop()


def _wake(stage: Stage, _chance: Random, name: str) -> None:
    stage.asleep.discard(name)
    stage.signal(name, signal.SIGCONT)


def _back(stage: Stage, _chance: Random, server: str, gone: float) -> None:
    stage.bring_back(server, gone)
