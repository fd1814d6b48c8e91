"""Processes that stop in the middle: `python -m tests.consumers.dying`, told on stdin what to run and where to stop.

A line in is JSON: {"what", "step", "told"}; one forked child runs a process of ours until it reaches the step, where it
ends at once (os._exit), as after kill -9. A line out is the child's exit status. Everything is imported and compiled
before the first fork, so that a death costs no start.
"""

import functools
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import msgspec

DEAD = 77  # the exit status of who reached its step

# What has an effect, in the order in which it happens. Each is a step before it, and a step after it.
CHECKPOINT = (
    "consumers.store.policies:introduce",
    "consumers.store.checkpoint:claim",
    "consumers.kafka.source:Source.start",
    "consumers.partition:Partition.take",
    "consumers.store.checkpoint:save",
    "consumers.store.checkpoint:hold",
    "consumers.store.checkpoint:_set_aside",
    "consumers.store.checkpoint:_judge",
    "consumers.store.answers:follow",
    "consumers.store.heads:lock",
    "consumers.store.heads:write",
    "consumers.store.owed:put",
    "consumers.store.alerts:keep",
    "consumers.store.answers:_stand",
    "consumers.store.checkpoint:_remember",
    "consumers.store.marks:write",
    "consumers.store.checkpoint:_note",
    "consumers.store.checkpoint:_fence",
    "consumers.kafka.source:Source.mirror",
)
WHOLE = ("detector.detector:Detector.changed", "detector.detector:Detector.saved", "detector.detector:Detector.evict")
DELIVERY = (
    "consumers.store.outbox:claim_deliveries",
    "consumers.kafka.producer:Producer.send",
    "consumers.channels.http:post",
    "consumers.store.outbox:settle",
)


def steps(effects: tuple[str, ...]) -> list[str]:
    """Return the points at which a process may be told to stop."""
    return [f"{when} {effect}" for effect in effects for when in ("before", "after")]


def stop_at(step: str) -> None:
    """Let this process end where it reaches the step."""
    when, effect = step.split()
    path, _, name = effect.partition(":")
    owner: Any = importlib.import_module(path)
    *classes, name = name.split(".")
    for one in classes:
        owner = getattr(owner, one)
    setattr(owner, name, _ending(getattr(owner, name), when))


def _ending(inner: Callable[..., Any], when: str) -> Callable[..., Any]:
    @functools.wraps(inner)
    def ending(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            inner(*arguments, **named)
        os._exit(DEAD)

    return ending


def main() -> None:
    """Serve until stdin ends."""
    from consumers import deliver, detect  # noqa: F401, PLC0415  # loaded once, for all children
    from detector import warm  # noqa: PLC0415
    from gamekeeper import logs  # noqa: PLC0415
    from tests.consumers import worker  # noqa: PLC0415

    logs.configure("json", "info")  # on stderr: stdout is for the answers
    warm.warm()
    for line in sys.stdin:
        told = msgspec.json.decode(line)
        child = os.fork()
        if child == 0:
            stop_at(told["step"])
            {"detect": worker.run_detect, "deliver": worker.run_deliver}[told["what"]](told["told"])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # the answer to who told us


if __name__ == "__main__":
    main()
