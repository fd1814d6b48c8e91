"""The supervisor on real processes: starts again what dies, stops everything, and dies with nobody left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gamekeeper.supervisor import NotReady, Spec, Supervisor
from tests.gamekeeper.processes import eventually, runs

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)
PARENT = """
import sys, time
from pathlib import Path
from gamekeeper.supervisor import Spec, Supervisor
supervisor = Supervisor()
supervisor.start(Spec("child", (sys.executable, "-c", "import time; time.sleep(600)"), {}, Path(sys.argv[1])))
print(supervisor.children["child"].process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """Return a supervisor whose processes end with the test."""
    made = Supervisor()
    yield made
    made.stop()


def test_a_killed_process_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    """After kill -9 the name is reported once, and a new process runs under it."""
    supervisor.start(Spec("child", SLEEP, {}, tmp_path / "log"))
    child = supervisor.children["child"]
    first = child.process.pid
    died: list[str] = []
    os.kill(first, signal.SIGKILL)

    def again() -> bool:
        died.extend(supervisor.tend())
        return child.process.pid != first

    eventually(again)
    assert died == ["child"]
    assert child.restarts == 1
    assert runs(child.process.pid)


def test_a_process_that_always_dies_is_started_less_and_less_often(supervisor: Supervisor, tmp_path: Path) -> None:
    """The pause before the third start is longer than before the second: no busy loop."""
    supervisor.start(Spec("child", (sys.executable, "-c", "raise SystemExit(1)"), {}, tmp_path / "log"))
    child = supervisor.children["child"]
    pauses: list[float] = []

    def twice() -> bool:
        if supervisor.tend() and child.due is not None:
            pauses.append(child.due - time.monotonic())
        return len(pauses) == 2

    eventually(twice)
    assert pauses[1] > pauses[0]


def test_stop_ends_even_what_does_not_listen(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ignores SIGTERM is killed after the grace, and nothing is left."""
    monkeypatch.setattr("gamekeeper.supervisor.GRACE", 0.3)
    log = tmp_path / "log"
    supervisor.start(Spec("stubborn", STUBBORN, {}, log))
    supervisor.start(Spec("polite", SLEEP, {}, tmp_path / "other"))
    pids = [child.process.pid for child in supervisor.children.values()]
    eventually(lambda: "deaf" in log.read_text())
    supervisor.stop()
    assert [pid for pid in pids if runs(pid)] == []


def test_ready_means_that_it_answers(supervisor: Supervisor, tmp_path: Path) -> None:
    """The wait ends when the health URL answers 200; a process that never does is named with its log."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    serve = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path))
    supervisor.start(Spec("web", serve, {}, tmp_path / "log", f"http://127.0.0.1:{port}/"))
    supervisor.wait_ready(30.0, lambda _what: None)
    supervisor.start(Spec("silent", SLEEP, {}, tmp_path / "silent.log", "http://127.0.0.1:9/"))
    with pytest.raises(NotReady, match=r"silent was not ready .*silent\.log"):
        supervisor.wait_ready(0.3, lambda _what: None)


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    """After kill -9 of the supervisor's process its children end."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
    eventually(lambda: not runs(child))
