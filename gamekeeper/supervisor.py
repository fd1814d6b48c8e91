"""Supervisor: starts our processes, starts again what dies, stops all of them for sure.

A child dies with us even when we are killed: the kernel signals it (prctl PR_SET_PDEATHSIG).
"""

import ctypes
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE = 6.0  # s from SIGTERM to SIGKILL; a process has 5 s to finish its batch
BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0)  # s before the 1st, 2nd, … restart in a row
SETTLED = 30.0  # s after which a process counts as well again


class NotReady(RuntimeError):  # noqa: N818  # named for what it says to the operator
    """A process did not become ready in time; the message says which, and where its log is."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run under which name; `health` is a URL that answers 200 when it is ready."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    health: str | None = None


@dataclass(slots=True)
class Child:
    """A running process and how often it had to be started again."""

    spec: Spec
    process: subprocess.Popen[bytes]
    started: float
    restarts: int = 0
    in_a_row: int = 0
    due: float | None = None  # when to start it again


@dataclass(slots=True)
class Supervisor:
    """Our processes by name. Use it from one thread; call `tend` a few times a second."""

    children: dict[str, Child] = field(default_factory=dict)

    def start(self, spec: Spec) -> None:
        """Start a process; its output goes to the end of its log."""
        self.children[spec.name] = Child(spec, _launch(spec), time.monotonic())

    def tend(self) -> list[str]:
        """Start again what died and is due. Return the names of those that were found dead just now."""
        died = []
        for child in self.children.values():
            if child.due is None and child.process.poll() is not None:
                died.append(child.spec.name)
                child.due = time.monotonic() + _pause(child)
            if child.due is not None and time.monotonic() >= child.due:
                child.process, child.started, child.due = _launch(child.spec), time.monotonic(), None
                child.restarts += 1
        return died

    def wait_ready(self, seconds: float, beat: Callable[[str], None]) -> None:
        """Wait until every process answers its health URL with 200. Raises NotReady after `seconds`."""
        deadline = time.monotonic() + seconds
        for child in self.children.values():
            while child.spec.health and not healthy(child.spec.health):
                beat(f"waiting for {child.spec.name}")
                self.tend()
                if time.monotonic() > deadline:
                    raise NotReady(
                        f"{child.spec.name} was not ready within {seconds:.0f} s; its log is {child.spec.log}"
                    )
                time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM to all, then SIGKILL to whatever is still there after the grace."""
        for child in self.children.values():
            child.process.terminate()
        deadline = time.monotonic() + GRACE
        for child in self.children.values():
            _reap(child.process, deadline)
        self.children.clear()


def healthy(url: str) -> bool:
    """Tell whether `url` answers 200 within a second."""
    try:
        return httpx.get(url, timeout=1.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends. For a child, between fork and exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _launch(spec: Spec) -> subprocess.Popen[bytes]:
    with spec.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603  # our own commands
            list(spec.command),
            env=dict(spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C on the terminal is for us; we stop them in order
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one prctl call; no lock is taken
        )


def _pause(child: Child) -> float:
    if time.monotonic() - child.started > SETTLED:
        child.in_a_row = 0
    child.in_a_row += 1
    return BACKOFF[min(child.in_a_row, len(BACKOFF)) - 1]


def _reap(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(deadline - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
