"""The process that reads predictions and reaches verdicts: poll, assess, checkpoint, and once more.

There is one way back from any failure of Postgres, of Kafka or of ownership: drop the partition's detector, take the
next epoch, load the saved offset, seek, go on.
"""

import gc
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import Engine

from consumers import kafka, marks, metrics
from consumers.health import Health
from consumers.kafka import KafkaError, Source
from consumers.keeper import Bounds, Keeper
from consumers.partition import Terms
from consumers.populations import Library
from consumers.store.engine import connect
from consumers.store.facts import Channels
from detector import warm
from detector.brokers import Brokers
from detector.policy import Policy

POLL_SECONDS = 0.1  # the longest wait for records: it also bounds how late a checkpoint or SIGTERM is seen
GARBAGE = 100_000  # containers made and not freed, at which cycles are looked for among them
SWITCH_SECONDS = 0.0005  # after which a thread that reads yields to one that writes, at each of its statements
WRITERS = 3  # checkpoints written at the same time; another partition's verdict does not wait for snapshots
_KNOCK_SECONDS = 0.5  # between looks for a broker at the start

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """Where `detect` reads and writes, and its bounds."""

    kafka: Brokers
    database: str = field(repr=False)
    policy: Policy = field(default_factory=Policy)
    schema: str = "public"
    group: str = "gamekeeper-detect"
    topic: str = "predictions"
    member: str | None = None  # static membership: a restart within the session moves no partition
    session_seconds: float = 10.0
    channels: Channels = field(default_factory=Channels)
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    checkpoint_seconds: float = 1.0
    checkpoint_queries: int = 50_000
    marks_key: str = field(default="", repr=False)  # a Fernet key; empty: marked answers are not kept
    learn_seconds: float = 40.0  # after partitions were added, until every producer knows
    clients_max: int = 40_000  # in memory, over all partitions of the process: about 51 kB each


def run(settings: DetectSettings) -> None:
    """Read until SIGTERM or SIGINT; then finish the batch, write a checkpoint, leave the group, return."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    health = Health()
    port = settings.metrics_port
    server = None if port is None else metrics.serve(port, health, settings.metrics_host)
    engine = connect(settings.database, settings.schema, name="gamekeeper detect")
    try:
        _warm(health, stop)
        source = _join(settings, health, stop)
        if source is not None:
            read(settings, source, engine, health, stop)
    finally:
        engine.dispose()
        if server is not None:
            server.close()


def _warm(health: Health, stop: threading.Event) -> None:
    """Load what is compiled before the group deals out partitions to us: till then others do better with them."""
    loading = threading.Thread(target=load, name="warm", daemon=True)
    loading.start()
    while loading.is_alive() and not stop.is_set():
        health.turn()
        loading.join(POLL_SECONDS)


def load() -> None:
    """Compile every loop that `detect` runs, or load it from the cache.

    What is there then lives as long as the process: frozen, no garbage collection looks at it again (2 µs a record).
    What comes later is lists of numbers, in no cycles: looking for these as often as Python does costs as much again.
    """
    warm.warm()
    kafka.warm()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


def _join(settings: DetectSettings, health: Health, stop: threading.Event) -> Source | None:
    """Return a member of the group as soon as a broker answers, or None when asked to stop before."""
    while not stop.is_set():
        health.turn()
        try:
            source = Source(
                settings.kafka,
                settings.group,
                settings.topic,
                member=settings.member,
                session=settings.session_seconds,
            )
        except KafkaError as error:
            health.fault("kafka", f"no broker lets us in: {error}")
            stop.wait(_KNOCK_SECONDS)
        else:
            health.fine("kafka")
            return source
    return None


def read(settings: DetectSettings, source: Source, engine: Engine, health: Health, stop: threading.Event) -> None:
    """Judge what `source` gives until asked to stop, write a last checkpoint and close it."""
    sys.setswitchinterval(SWITCH_SECONDS)
    library = Library(engine)
    aside = ThreadPoolExecutor(WRITERS, "checkpoints")
    keeper = Keeper(
        source,
        Terms(
            engine,
            settings.policy,
            settings.channels,
            library.population,
            marks.Keep(settings.marks_key),
            library.policy,
            library.wanted_policy,
            aside,
        ),
        health,
        Bounds(
            group=settings.group,
            checkpoint_seconds=settings.checkpoint_seconds,
            checkpoint_queries=settings.checkpoint_queries,
            clients_max=settings.clients_max,
            topic=lambda: kafka.find(settings.kafka, settings.topic),
            learn=timedelta(seconds=settings.learn_seconds),
            wanted=library.wanted,
        ),
    )
    try:
        while not stop.is_set():
            health.turn()
            keeper.step(POLL_SECONDS)
        keeper.finish()
    finally:
        aside.shutdown(wait=False)
        source.close()
