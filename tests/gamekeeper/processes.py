"""Looking at the processes of this machine, for tests that kill some."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until `condition` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def ready(client: httpx.Client) -> bool:
    """Tell whether a gateway says that queries can be answered."""
    try:
        return client.get("/v2/health/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def runs(pid: int) -> bool:
    """Tell whether a process runs (one that ended and was not waited for does not)."""
    return _stat(pid)[:1] not in ([], ["Z"])


def parent(pid: int) -> int | None:
    """Return the parent of a process that runs."""
    return int(_stat(pid)[1]) if runs(pid) else None


def named(*words: str) -> list[int]:
    """Return the processes (not this one) whose command line holds all of `words`."""
    others = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in others if pid != os.getpid() and all(word in command_line(pid) for word in words)]


def command_line(pid: int) -> str:
    """Return a process's words with spaces between; nothing if it ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
