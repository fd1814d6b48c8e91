"""The road of a test: its topics, its database, and the processes on it."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer
from sqlalchemy import Engine, text

from detector.topics import Topics

ROOT = Path(__file__).resolve().parents[2]
LEAVE = 5.0  # seconds from SIGTERM to the end
PATIENCE = 90.0  # seconds; on a quiet machine conditions hold within a few


@dataclass
class Road:
    """Where records go in and what comes out."""

    kafka: str
    database: str
    prefix: str
    engine: Engine
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def topics(self) -> Topics:
        """The topics' names."""
        return Topics(self.prefix)

    def write(self, records: Iterable[tuple[str, bytes]], linger_ms: int = 0) -> int:
        """Write (client, record) pairs, keyed by client; return how many. Who lingers writes some 16 KB at once."""
        producer = KafkaProducer(bootstrap_servers=self.kafka, linger_ms=linger_ms)
        written = 0
        for client, record in records:
            producer.send(self.topics.predictions, record, key=client.encode())
            written += 1
        producer.flush()
        producer.close()
        return written

    def read(self) -> int:
        """Return the predictions accounted for in Postgres."""
        return int(self.one("SELECT coalesce(sum(scored + counted + unreadable), 0) FROM offsets"))

    def one(self, query: str) -> Any:
        """Return the single value of a query."""
        [[value]] = self.rows(query)
        return value

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    @contextmanager
    def process(self, what: str = "detect", **told: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process of ours; it is gone at the end of the block, whatever happens."""
        base = {"kafka": self.kafka, "database": self.database, "prefix": self.prefix, **self.more}
        argument = msgspec.json.encode({**base, **told}).decode()
        process = subprocess.Popen([sys.executable, "-m", "tests.consumers.worker", what, argument], cwd=ROOT)
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it leave its group, which spares the next one the session timeout; else kill it."""
    process.terminate()
    try:
        process.wait(LEAVE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Ask for `condition` until it holds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)


def interleaved(streams: Mapping[str, list[bytes]]) -> list[tuple[str, bytes]]:
    """Return the clients' records one after the other in turn, each client's in order."""
    longest = max(map(len, streams.values()))
    return [
        (client, records[number])
        for number in range(longest)
        for client, records in streams.items()
        if number < len(records)
    ]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
