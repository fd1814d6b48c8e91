"""Kafka as the gateway uses it: the only module here that imports the driver.

Nothing here creates topics, and nothing here blocks a request. Constructors of kafka-python leak a thread when the
brokers are away, and say no more than that time was up (3.0.12): so a connection is tried first, and asked why.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient

from detector.brokers import Brokers, named

KNOCK_SECONDS = 2.0  # a broker that has not let us in within this is away
REQUEST_MS = 5_000  # for the answers to questions about offsets
BLOCK_MS = 2_000  # for send() to learn a topic's partitions
DELIVERY_MS = 600_000  # a record handed over is tried this long; the query log bounds how many wait
RECORD_BYTES = 1_048_576  # the record size limit of the contract
LINGER_MS = 5
METADATA_MS = 30_000  # how soon new partitions are seen
BOOTSTRAP_MS = 10_000  # for the first answers of a broker that accepts connections
RECONNECT_MS = 1_000  # a broker that returns is noticed so soon
STOP_MS = 1_000


class Away(ConnectionError):  # noqa: N818  # named for what it says
    """Kafka cannot be reached, or does not answer as it should; the message says what failed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a compacted topic; `value` None is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None


class Reader:
    """Reads compacted topics from the beginning, and goes on. One thread uses it."""

    def __init__(self, brokers: Brokers | str, topics: tuple[str, ...]) -> None:
        """Connect. Raises Away."""
        self._topics = topics
        self._consumer = _opened(
            KafkaConsumer,
            brokers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            max_poll_records=5_000,
        )
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._ends: dict[TopicPartition, int] = {}

    def begin(self) -> None:
        """Go to the beginning of every topic. Raises Away, also where a topic is missing."""
        self._assigned = self._partitions()
        with _translated("assigning"):
            self._consumer.assign(sorted(self._assigned))
            self._consumer.seek_to_beginning()
        self._ends = self._end_offsets()

    def poll(self, seconds: float) -> list[Item]:
        """Return what has arrived, after at most `seconds`. A broker that is away looks like silence."""
        with _translated("reading"):
            records = self._consumer.poll(timeout_ms=int(seconds * 1000))
        return [Item(one.topic, one.key, one.value) for batch in records.values() for one in batch]

    def at_end(self) -> bool:
        """Tell whether everything that was there at the last look() has been read."""
        with _translated("reading"):
            return all(self._consumer.position(at) >= end for at, end in self._ends.items())

    def look(self) -> None:
        """Ask how far the topics reach by now. Raises Away, also when they have got more partitions."""
        if self._partitions() != self._assigned:
            raise Away("topics have changed")
        self._ends = self._end_offsets()

    def close(self) -> None:
        """Leave, quickly."""
        with contextlib.suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _partitions(self) -> frozenset[TopicPartition]:
        with _translated("asking for partitions"):
            found = {topic: self._consumer.partitions_for_topic(topic) for topic in self._topics}
        missing = [topic for topic, partitions in found.items() if not partitions]
        if missing:
            raise Away(f"no topic {', '.join(missing)}")
        return frozenset(TopicPartition(topic, number) for topic, numbers in found.items() for number in numbers)

    def _end_offsets(self) -> dict[TopicPartition, int]:
        with _translated("asking for offsets"):
            return dict(self._consumer.end_offsets(sorted(self._assigned), timeout_ms=REQUEST_MS))


@contextlib.contextmanager
def reading(brokers: Brokers | str, topics: tuple[str, ...]) -> Iterator[Reader]:
    """Yield a Reader at the beginning and close it, whatever happens. Raises Away."""
    reader = Reader(brokers, topics)
    try:
        reader.begin()
        yield reader
    finally:
        reader.close()


class Writer:
    """Hands records to Kafka and counts what became of them. Connects when first used, in the caller's thread."""

    def __init__(self, brokers: Brokers | str, max_waiting: int) -> None:
        self._brokers = brokers
        self._producer: Any = None
        self._room = threading.Semaphore(max_waiting)
        self._counts = threading.Lock()
        self.written = 0  # acknowledged by Kafka
        self.failed = 0  # given up after DELIVERY_MS

    def send(self, topic: str, key: bytes, value: bytes, room_seconds: float = 1.0) -> None:
        """Hand one record over; waits for room among those not acknowledged. Raises Away: then it was not taken."""
        producer = self._connected()
        if not self._room.acquire(timeout=room_seconds):
            raise Away("Kafka does not acknowledge")
        try:
            future = producer.send(topic, key=key, value=value)
        except KafkaError as error:
            self._room.release()
            raise Away(f"writing to {topic}: {error}") from error
        future.add_callback(self._acknowledged)
        future.add_errback(self._given_up)

    def flush(self, seconds: float) -> bool:
        """Wait until all is acknowledged; tell whether it was, in time."""
        if self._producer is None:
            return True
        try:
            self._producer.flush(timeout=max(seconds, 0.0))
        except KafkaError:
            return False
        return True

    def close(self) -> None:
        """Leave without waiting; what is not acknowledged is lost."""
        if self._producer is not None:
            self._producer.close(timeout=0)
            self._producer = None

    def _connected(self) -> Any:
        if self._producer is None:
            self._producer = _opened(
                KafkaProducer,
                self._brokers,
                linger_ms=LINGER_MS,
                compression_type="lz4",
                batch_size=128 * 1024,
                max_request_size=2 * RECORD_BYTES,
                max_block_ms=BLOCK_MS,
                delivery_timeout_ms=DELIVERY_MS,
            )
        return self._producer

    def _acknowledged(self, _metadata: object) -> None:
        self._room.release()
        with self._counts:
            self.written += 1

    def _given_up(self, _error: object) -> None:
        self._room.release()
        with self._counts:
            self.failed += 1


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:
        raise Away(f"{doing}: {error or type(error).__name__}") from error


def _opened(make: Callable[..., Any], where: Brokers | str, **options: object) -> Any:
    """Return a client of the driver, connected. Raises Away, which says why no broker lets us in; nothing is left."""
    brokers = named(where)
    clients: list[Any] = []

    def remembered(**given: object) -> Any:
        clients.append(KafkaNetClient(**given))
        return clients[-1]

    try:
        with _translated("connecting"):
            _knock(brokers)
            return make(**_options(brokers), kafka_client=remembered, **options)
    except BaseException:
        for client in clients:
            client._net.stop(STOP_MS)  # noqa: SLF001  # there is no other door to it
            client.close()
        raise


def _knock(brokers: Brokers) -> None:
    """Connect to any broker, log in and leave again. Raises KafkaError, which says why none lets us in."""
    why: KafkaError = KafkaConnectionError("no broker is named")
    for server in brokers.servers:
        try:
            _connect(server, brokers.security.tls)
            return _log_in(Brokers(server, brokers.security))
        except (OSError, ValueError) as error:
            why = KafkaConnectionError(f"no broker answers at {server}: {error}")
        except KafkaError as error:
            why = error
    raise why


def _connect(server: str, tls: ssl.SSLContext | None) -> None:
    """Connect and leave again; the driver leaves its socket to the garbage collector where that fails."""
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    with socket.create_connection((host, int(port)), KNOCK_SECONDS) as plain:
        if tls is not None:
            tls.wrap_socket(plain, server_hostname=host).close()


def _log_in(broker: Brokers) -> None:
    """Do what the driver does first on each connection."""
    client: Any = KafkaNetClient(**_options(broker))

    async def greet(node: str) -> None:
        await client._manager.get_connection(node, timeout_ms=KNOCK_SECONDS * 1000)  # noqa: SLF001  # as it does itself

    try:
        client._net.run(greet, client.cluster.bootstrap_brokers()[0].node_id)  # noqa: SLF001
    except (KafkaConnectionError, SaslAuthenticationFailedError) as error:
        if broker.security.login is None:
            raise
        # a broker says why and hangs up, and the driver hears the second first
        raise SaslAuthenticationFailedError(f"no login as {broker.security.login.user}: {error}") from error
    finally:
        client.close()


def _options(brokers: Brokers) -> dict[str, Any]:
    return {
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS,
        "allow_auto_create_topics": False,
        "metadata_max_age_ms": METADATA_MS,
        **brokers.options(),
    }
