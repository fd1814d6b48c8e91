"""The stage: a real Kafka, a real Postgres, our processes under the supervisor of `up`, and a receiver of alerts."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from kafka.partitioner.default import murmur2
from sqlalchemy import Engine, text

from benchmarks.chaos.hook import SECRET, Hook, hooked
from consumers import topics
from consumers.store import migrate, populations
from consumers.store.engine import connect
from detector.population import Population, dump
from detector.topics import Topics
from gamekeeper import embedded, settings
from gamekeeper.demo import POLICY
from gamekeeper.supervisor import Spec, Supervisor

PARTITIONS = 6
WORKERS = 3
SESSION_SECONDS = 6.0  # the least that Kafka permits unless told otherwise
CLIENTS_MAX = 600  # in a worker's memory, of 2,000: clients leave for their snapshots and come back all the time
LEAVE_SECONDS = 30.0  # from SIGTERM to the end; 5 s are promised on a machine that is not this busy
STATIC = "detect-0"  # the worker whose membership is static
TABLE = "table.jsonl"  # where the reader keeps its table


@dataclass(slots=True)
class Stage:
    """Everything that runs, and what was done to it. Times are seconds since 1970."""

    kafka: embedded.Server
    postgres: embedded.Server
    engine: Engine
    hook: Hook
    folder: Path
    clients_max: int = CLIENTS_MAX
    workers: int = WORKERS
    supervisor: Supervisor = field(default_factory=Supervisor)
    asleep: set[str] = field(default_factory=set)
    moved: list[float] = field(default_factory=list)  # when a worker was killed, stopped or sent away
    down: list[tuple[float, float]] = field(default_factory=list)  # while the broker or the database was away
    started: int = 0
    returning: dict[str, threading.Thread] = field(default_factory=dict)  # who starts a server again, by its name

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises SQLAlchemyError."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def join(self) -> None:
        """Start a worker under a name of its own."""
        name = f"detect-{self.started}"
        self.started += 1
        self._start(name, ("-m", "gamekeeper", "detect"), {"GAMEKEEPER_MEMBER": name if name == STATIC else ""})

    def begin(self) -> None:
        """Start everybody and wait until the population is in force in every partition."""
        for _ in range(self.workers):
            self.join()
        self._start("deliver", ("-m", "gamekeeper", "deliver"), {})
        reader = ("-m", "benchmarks.chaos.reader", self.kafka.url, "", str(self.folder / TABLE))
        self._start("reader", reader, {})
        self.until(lambda: self.rows("SELECT count(*) FROM in_force") == [(PARTITIONS,)], 60.0)

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Tend the processes until `condition` holds; tell whether it did within `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.supervisor.tend()
            if condition():
                return True
            time.sleep(0.1)
        return False

    def worker(self, chance: Random) -> str:
        """Return one of the workers that run, as soon as one does."""
        while not (awake := self._awake()):
            self.supervisor.tend()
            time.sleep(0.05)
        return chance.choice(awake)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one of the processes."""
        self.supervisor.children[name].process.send_signal(number)

    def leave(self, name: str) -> None:
        """Send a worker away in order; one that still starts has nothing to leave. Raises RuntimeError otherwise."""
        process = self.supervisor.children.pop(name).process
        process.terminate()
        try:
            code = process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        if code not in {0, -signal.SIGTERM}:
            raise RuntimeError(f"{name} was asked to leave and ended with {code}; its log is {self.log(name)}")

    def end(self) -> None:
        """Send all workers away in order, so that what they hold is written."""
        for name in [name for name in self.supervisor.children if name.startswith("detect")]:
            self.leave(name)

    def crash_database(self) -> None:
        """Shut Postgres down as in an emergency: no checkpoint, no good-bye to anybody."""
        pid_file = self.postgres.plan.folder / "data" / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
        while self.postgres.alive:
            time.sleep(0.02)

    def bring_back(self, name: str, gone: float) -> None:
        """Start a server again that went at `gone`, in the background: the other faults do not wait for it."""
        self.returning[name] = threading.Thread(target=self._start_again, args=(name, gone))
        self.returning[name].start()

    def wait_for(self, name: str) -> None:
        """Wait until a server that was to come back is there."""
        if name in self.returning:
            self.returning[name].join()

    def _start_again(self, name: str, gone: float) -> None:
        getattr(self, name).start()
        self.down.append((gone, time.time()))

    def _awake(self) -> list[str]:
        children = self.supervisor.children.items()
        running = (name for name, child in children if child.process.poll() is None and child.due is None)
        return sorted(name for name in running if name.startswith("detect") and name not in self.asleep)

    def _start(self, name: str, arguments: tuple[str, ...], more: Mapping[str, str]) -> None:
        environment = settings.environment(
            {
                "KAFKA_BOOTSTRAP_SERVERS": self.kafka.url,
                "DATABASE_URL": self.postgres.url,
                "GAMEKEEPER_SESSION_SECONDS": str(SESSION_SECONDS),
                "GAMEKEEPER_CLIENTS_MAX": str(self.clients_max),
                "GAMEKEEPER_WEBHOOKS": f"hook={self.hook.url}",
                "GAMEKEEPER_WEBHOOK_SECRET": SECRET,
                "GAMEKEEPER_WEBHOOK_PRIVATE": "yes",
                "GAMEKEEPER_POLICY": str(POLICY),
                "GAMEKEEPER_LOG_FORMAT": "json",
                "OMP_NUM_THREADS": "1",
                **more,
            }
        )
        self.supervisor.start(Spec(name, (sys.executable, *arguments), environment, self.log(name)))

    def log(self, name: str) -> Path:
        """Return where a process writes what it says."""
        return self.folder / f"{name}.log"


@contextmanager
def built(folder: Path, population: Population) -> Iterator[Stage]:
    """Build a stage with its servers running and the population wanted; nothing of it is left at the end."""
    cache = settings.writable_cache(settings.load(), folder)
    kafka = embedded.start_kafka(folder / "kafka", cache, _quiet)
    postgres = embedded.start_postgres(folder / "postgres", _quiet)
    engine = connect(postgres.url, name="chaos")
    try:
        migrate.upgrade(postgres.url)
        topics.ensure(kafka.url, PARTITIONS)
        [version] = populations.put(engine, dump([population]), "chaos")
        populations.use(engine, population.model, version, "chaos")
        with hooked() as hook:
            stage = Stage(kafka, postgres, engine, hook, folder)
            try:
                yield stage
            finally:
                _clear(stage.supervisor)
    finally:
        engine.dispose()
        kafka.stop()
        postgres.stop()


def partition_of(key: bytes) -> int:
    """Return the partition that producers choose for a key."""
    return int(murmur2(key) % PARTITIONS)


def predictions() -> str:
    """Return the topic of records."""
    return Topics().predictions


def _clear(supervisor: Supervisor) -> None:
    """End what still runs, sleepers included."""
    for child in supervisor.children.values():
        child.process.kill()
    supervisor.stop()


def _quiet(_what: str, _share: float) -> None:
    """Show no progress."""
