"""One embedded server and its guard: start, wait until it answers, stop for sure."""

import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gamekeeper.embedded import guard

READY_SECONDS = 120.0  # Kafka needs 2 s alone and much longer on a machine that is busy with other things
STOP_SECONDS = 20.0  # then it is killed; both servers recover from that
LOWEST_PORT, PORTS = 15_000, 17_000  # below the kernel's range for outgoing connections, so nobody takes it meanwhile


class EmbeddedError(Exception):
    """An embedded part cannot run; the message says what is missing and what to do."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run one server. `stop` is the signal that ends it in order, `remove` what a killed one leaves behind."""

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    stop: signal.Signals
    answers: Callable[[], bool]
    remove: tuple[Path, ...] = ()
    patience: float = 30.0  # seconds to wait for the folder: a guard before us may still be stopping its server

    @property
    def log(self) -> Path:
        """Where the server's output goes."""
        return self.folder / "server.log"

    def encoded(self) -> str:
        """Return the plan as the guard reads it."""
        return json.dumps(
            {
                "lock": str(self.folder / "lock"),
                "log": str(self.log),
                "folder": str(self.folder),
                "command": self.command,
                "environment": dict(self.environment),
                "remove": [str(path) for path in self.remove],
                "signal": int(self.stop),
                "seconds": STOP_SECONDS,
                "patience": self.patience,
            }
        )


class Server:
    """A running server. `url` is how to reach it. A killed one comes back under the same URL with `start`."""

    def __init__(self, plan: Plan, url: str) -> None:
        self.plan = plan
        self.url = url
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises EmbeddedError with the last line of its log."""
        self.stop()  # what is left of one that was killed
        if self.plan.log.exists():
            self.plan.log.replace(self.plan.log.with_suffix(".log.1"))  # one old log is kept, so that they stay bounded
        self._guard = subprocess.Popen(  # noqa: S603  # our own interpreter and file
            [sys.executable, "-I", "-S", guard.__file__, self.plan.encoded()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C on the terminal is for us; the server ends last, in order
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if not self.alive:
                raise EmbeddedError(self._why())
            if self.plan.answers():
                return
            time.sleep(0.05)
        raise EmbeddedError(f"{self.plan.name} did not answer within {READY_SECONDS:.0f} s; its log is {self.plan.log}")

    def _why(self) -> str:
        if self._guard is not None and self._guard.returncode == guard.FOLDER_IN_USE:
            return f"{self.plan.folder} is in use by another Gamekeeper; stop that one or choose another --data folder"
        lines = self.plan.log.read_text(errors="replace").splitlines() if self.plan.log.exists() else []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{self.plan.name} did not start: {last} (log: {self.plan.log})"

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._guard is not None and self._guard.poll() is None

    def kill(self) -> None:
        """End it as a crash does: kill -9 of its guard, after which the kernel kills the server too."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()

    def stop(self) -> None:
        """End it in order and wait; killed after STOP_SECONDS. Nothing happens if it does not run."""
        if self._guard is None:
            return
        if self._guard.stdin is not None:
            self._guard.stdin.close()  # what the guard waits for
        self._guard.wait(STOP_SECONDS + self.plan.patience)
        self._guard = None


def listens(port: int) -> bool:
    """Whether something accepts connections on this machine's `port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` if it is free, else another free port of this machine."""
    candidates = [preferred] if preferred else []
    candidates += [LOWEST_PORT + secrets.randbelow(PORTS) for _ in range(100)]
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise EmbeddedError(f"no free port between {LOWEST_PORT} and {LOWEST_PORT + PORTS} on 127.0.0.1")


def remembered_port(file: Path) -> int:
    """Return the port noted in `file` if it is still free, else a new one, noted for the next start."""
    noted = file.read_text().strip() if file.exists() else ""
    port = free_port(int(noted) if noted.isdigit() else None)
    file.write_text(f"{port}\n")
    return port
