"""The servers that a benchmark stands on: a real Kafka and a real Postgres, on other cores than what is measured."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gamekeeper import embedded, settings


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers are, and a core that is none of theirs."""

    kafka: str  # bootstrap server
    postgres: str  # SQLAlchemy's URL
    core: int
    folder: Path  # for whatever lasts no longer than the benchmark


@contextmanager
def standing(kafka: bool = True) -> Iterator[Servers]:
    """Start the servers and stop them at the end. The calling process stays on their cores for so long."""
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="gamekeeper-bench-")))
        core = held.enter_context(apart())
        postgres = embedded.start_postgres(folder / "postgres", lambda *_: None)
        held.callback(postgres.stop)
        yield Servers(held.enter_context(_broker(folder)) if kafka else "", postgres.url, core, folder)


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    cache = settings.writable_cache(settings.load(), folder)
    server = embedded.start_kafka(folder / "kafka", cache, lambda *_: None)
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def apart() -> Iterator[int]:
    """Yield a core that this process and whatever it starts leave alone; the only one where there is no other."""
    before = os.sched_getaffinity(0)
    core = min(before)
    os.sched_setaffinity(0, before - {core} or before)
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)
