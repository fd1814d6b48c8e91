"""The process that sends what is owed: decisions to the gateways, alerts to people. It also keeps time.

Each channel has a thread of its own, so that one dead endpoint delays no other. The topics, and what the clock does,
belong to one leader among all `deliver` processes: per key, decisions go out in the order of their serials.
"""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from consumers import metrics
from consumers.channels import CHANNELS
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Gone, Kind, Outcome, Retry, next_try
from consumers.channels.topic import Topic
from consumers.clock import keep_time
from consumers.health import Health
from consumers.kafka import KafkaError, Producer, Tail
from consumers.store import gateways, outbox
from consumers.store.engine import POOL, connect
from consumers.store.facts import Channels
from consumers.store.leader import leading
from consumers.store.refill import all_in_force
from detector.brokers import Brokers
from detector.topics import Topics

EAR_SECONDS = 1.0  # the longest wait for a notification: work is looked for at least so often
LEASE_SECONDS = 30.0  # a delivery that is being sent belongs to nobody else for so long; more than any one send takes
KAFKA_BATCH = 200  # deliveries claimed at once for the topics, a few ms each
HTTP_BATCH = 1  # for endpoints, which may take 15 s each
LEADER = "decisions"
_JOIN_SECONDS = 1.5  # for threads when asked to stop; what is being sent is sent again, at least once

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeliverSettings:
    """Where deliveries come from and where they go."""

    kafka: Brokers
    database: str = field(repr=False)
    schema: str = "public"
    topics: Topics = field(default_factory=Topics)
    endpoints: tuple[Endpoint, ...] = ()
    channels: Channels = field(default_factory=Channels)  # whom expiry is told to
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Lane:
    """What one thread works on: the channels by name, each with its kind and settings."""

    name: str
    ways: dict[str, tuple[Kind, Any]]
    batch: int


def run(settings: DeliverSettings) -> None:
    """Deliver until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    health = Health()
    port = settings.metrics_port
    server = None if port is None else metrics.serve(port, health, settings.metrics_host)
    kept = len(settings.endpoints) + POOL  # each listens
    engine = connect(settings.database, settings.schema, name="gamekeeper deliver", kept=kept)
    producer = Producer(settings.kafka)
    post = Post(engine, health, stop)
    with _threads(post, _tasks(settings, post, producer)) as threads:
        while not stop.wait(EAR_SECONDS) and all(thread.is_alive() for thread in threads):
            health.turn()
    producer.close()
    engine.dispose()
    if server is not None:
        server.close()
    if not stop.is_set():
        raise RuntimeError("a channel's thread has ended; what it said is above")


def _tasks(settings: DeliverSettings, post: "Post", producer: Producer) -> dict[str, Callable[[], None]]:
    """Return what runs on a thread each, by name."""
    topics = {
        "topic": (CHANNELS["topic"], Topic(settings.topics.decisions, producer)),
        "keys": (CHANNELS["keys"], Topic(settings.topics.keys, producer)),
    }
    tasks: dict[str, Callable[[], None]] = {
        "leader": partial(post.lead, Lane("leader", topics, KAFKA_BATCH), settings.channels)
    }
    tasks["gateways"] = partial(post.hear_gateways, Tail(settings.kafka, settings.topics.gateway_status))
    for endpoint in settings.endpoints:
        lane = Lane(endpoint.channel, {endpoint.channel: (CHANNELS[endpoint.kind], endpoint)}, HTTP_BATCH)
        tasks[lane.name] = partial(post.serve, lane)
    return tasks


@contextmanager
def _threads(post: "Post", tasks: dict[str, Callable[[], None]]) -> Iterator[list[threading.Thread]]:
    threads = [
        threading.Thread(target=post.guard, args=(name, task), name=name, daemon=True) for name, task in tasks.items()
    ]
    for thread in threads:
        thread.start()
    yield threads
    end = time.monotonic() + _JOIN_SECONDS
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))


class Post:
    """What the threads share: the database, the process's health, and the wish to stop."""

    def __init__(self, engine: Engine, health: Health, stop: threading.Event) -> None:
        self._engine = engine
        self._health = health
        self._stop = stop

    def guard(self, name: str, task: Callable[[], None]) -> None:
        """Run `task` again after every outage of the database, until asked to stop."""
        while not self._stop.is_set():
            try:
                task()
            except SQLAlchemyError as error:
                self._health.fault(name, type(error).__name__)
                log.warning("the database does not answer", part=name, error=type(error).__name__)
                self._stop.wait(EAR_SECONDS)

    def serve(self, lane: Lane) -> None:
        """Send what the lane's channels are owed, until asked to stop. Raises SQLAlchemyError."""
        while not self._stop.is_set():
            self.refill(lane)
            self._turn(lane)

    def lead(self, lane: Lane, channels: Channels) -> None:
        """Be the one who writes the topics and keeps time, or wait a little. Raises SQLAlchemyError."""
        with leading(self._engine, LEADER) as mine:
            if not mine:
                self._health.fine("leader")
                self._stop.wait(EAR_SECONDS)
                return
            log.info("leading")
            clock = keep_time(self._engine, channels)
            while not self._stop.is_set():
                self._turn(lane)
                next(clock)  # who waits for a decision does not wait for this

    def send_batch(self, lane: Lane) -> int:
        """Claim, send and settle one batch; return how many. Raises SQLAlchemyError."""
        claimed = outbox.claim_deliveries(self._engine, lane.batch, LEASE_SECONDS, tuple(lane.ways))
        away: Retry | None = None
        for delivery in claimed:
            kind, settings = lane.ways[delivery.channel]
            outcome = away or kind.send(delivery, settings)
            if kind.forever and isinstance(outcome, Retry):
                away = outcome  # our own brokers are away: do not wait for each of the others as well
            settled = settlement(kind, delivery.attempts, outcome)
            outbox.settle(self._engine, delivery.id, settled)
            _tell(delivery, settled)
        if away is None:
            self._health.fine(lane.name)
        else:
            self._health.fault(lane.name, away.why)
        return len(claimed)

    def refill(self, lane: Lane) -> None:
        """Owe everything in force again to whoever has forgotten it. Raises SQLAlchemyError."""
        for channel, (kind, settings) in lane.ways.items():
            if kind.refill is not None:
                kind.refill(settings, partial(all_in_force, self._engine, channel))

    def hear_gateways(self, tail: Tail) -> None:
        """Keep what gateways say of themselves, until asked to stop. Raises SQLAlchemyError."""
        while not self._stop.is_set():
            try:
                said = tail.poll(EAR_SECONDS)
            except (KafkaError, LookupError) as error:
                self._health.fault("gateways", str(error))
                self._stop.wait(EAR_SECONDS)
                continue
            for record in said:
                if record.value is not None and not gateways.heard(self._engine, record.value):
                    log.warning("a gateway's status cannot be read", offset=record.place)
            self._health.fine("gateways")
        tail.close()

    def _turn(self, lane: Lane) -> None:
        if outbox.listen(self._engine, EAR_SECONDS, tuple(lane.ways)):
            self.send_batch(lane)
        else:
            self._health.fine(lane.name)


def _tell(delivery: outbox.Delivery, settled: outbox.Outcome) -> None:
    word = type(settled).__name__.lower()
    metrics.DELIVERIES.labels(delivery.channel, word).inc()
    if not isinstance(settled, outbox.Delivered):
        log.warning(
            "not delivered",
            channel=delivery.channel,
            message=delivery.message,
            attempts=delivery.attempts,
            outcome=word,
            why=settled.why,
        )


def settlement(kind: Kind, attempts: int, outcome: Outcome) -> outbox.Outcome:
    """Return what to write down for an outcome after so many tries."""
    if isinstance(outcome, Delivered):
        return outbox.Delivered()
    if isinstance(outcome, Gone):
        return outbox.GivenUp(outcome.why)
    wait = next_try(kind, attempts, outcome.after, random.random())  # noqa: S311  # jitter is no secret
    if wait is None:
        return outbox.GivenUp(f"{attempts} tries; the last: {outcome.why}")
    return outbox.Retry(wait, outcome.why)
