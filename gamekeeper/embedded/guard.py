"""Keeps one server process, and ends it when whoever asked for it is gone, by whatever death.

Run as a file (`python -I -S guard.py PLAN`), standard library only, so that it starts in milliseconds. Its stdin is the
read end of a pipe: the kernel closes the other end even after kill -9, and that is what it waits for. A parent-death
signal in the server would follow the *thread* that started it; here it follows the guard's only thread.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
FOLDER_IN_USE = 75  # EX_TEMPFAIL of sysexits.h


class Stop(BaseException):
    """SIGTERM came."""


def on_sigterm(_number: int, _frame: object) -> None:
    """Leave whatever we wait for."""
    raise Stop


def die_with_guard(guard: int) -> Callable[[], None]:
    """Return what the child runs between fork and exec: SIGKILL to it when the guard itself is killed."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def between_fork_and_exec() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:  # it died before the line above
            os._exit(1)

    return between_fork_and_exec


def lock(path: str, patience: float) -> int | None:
    """Take the folder's lock, waiting `patience` seconds; the server inherits it: free only when both are gone."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return handle
    return None


def start(plan: dict[str, Any], handle: int) -> "subprocess.Popen[bytes]":
    """Start the server with its output in the log."""
    for path in plan["remove"]:  # left by a server that was killed; the lock says that none runs
        Path(path).unlink(missing_ok=True)
    with Path(plan["log"]).open("ab") as log:
        return subprocess.Popen(  # noqa: S603  # what our own Server asked for
            plan["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=plan["environment"],
            cwd=plan["folder"],
            pass_fds=(handle,),
            preexec_fn=die_with_guard(os.getpid()),  # noqa: PLW1509  # safe: the guard has one thread
        )


def wait(server: "subprocess.Popen[bytes]") -> None:
    """Return when the server ended or the pipe closed."""
    ended = os.pidfd_open(server.pid)
    select.select([sys.stdin.fileno(), ended], [], [])


def stop(server: "subprocess.Popen[bytes]", number: int, seconds: float) -> int:
    """Ask the server to end, make it after `seconds`; return its exit status."""
    if server.poll() is None:
        server.send_signal(number)
    try:
        return server.wait(seconds)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


def main() -> int:
    """Run the plan: {"lock", "log", "folder", "command", "environment", "remove", "signal", "seconds", "patience"}."""
    plan = json.loads(sys.argv[1])
    handle = lock(plan["lock"], plan["patience"])
    if handle is None:
        return FOLDER_IN_USE
    signal.signal(signal.SIGTERM, on_sigterm)
    server = start(plan, handle)
    try:
        wait(server)
    except Stop:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        status = stop(server, plan["signal"], plan["seconds"])
    return max(status, 0)


if __name__ == "__main__":
    sys.exit(main())
