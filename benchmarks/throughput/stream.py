"""The records that everybody reads: one prediction each as JSON, and the same ones as batch records.

Both topics hold the same queries of the same clients in the same partitions in the same order.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from kafka.partitioner.default import murmur2

from benchmarks.world import MODEL, START, World, zipf
from consumers import topics
from detector.records import CONTENT_TYPE_BATCH, Input, Output, Record, encode_record
from detector.times import format_time
from detector.topics import Topics
from detector.wire import encode_batch

PARTITIONS: Final = 8
AT_ONCE: Final = 50_000  # queries made at once: bounds memory
BATCH_ROWS: Final = 256
BATCH_BYTES: Final = 1 << 19  # of inputs in a batch record: half of what a record may hold
APART: Final = 1_000  # µs between queries

Send = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Written:
    """What there is to read: topics, and how many records each holds."""

    json: str
    batch: str
    queries: int
    batches: int


def write(kafka: str, world: World, queries: int, clients: int, prefix: str = "") -> Written:
    """Make both topics and fill them; clients come in zipf(1.2) shares. Raises KafkaError."""
    made = {form: Topics(f"{prefix}{form}-") for form in ("json", "batch")}
    for one in made.values():
        topics.ensure(kafka, PARTITIONS, one.prefix)
    json, batch = (one.predictions for one in made.values())
    waiting: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    with sending(kafka) as send:
        batches = 0
        for record in records(world, queries, clients):
            partition = murmur2(record.client.encode()) % PARTITIONS
            send(json, encode_record(record), partition, key=record.client)
            waiting[partition].append(record)
            if len(waiting[partition]) >= _rows(record):
                batches += _send_batch(send, batch, waiting[partition], partition)
        batches += sum(_send_batch(send, batch, rest, partition) for partition, rest in enumerate(waiting) if rest)
    return Written(json, batch, queries, batches)


def records(world: World, queries: int, clients: int) -> Iterator[Record]:
    """Yield the query records of clients in zipf(1.2) shares, as a gateway logs them."""
    random = np.random.default_rng(1)
    for start in range(0, queries, AT_ONCE):
        client = zipf(random, clients, min(AT_ONCE, queries - start))
        inputs = world.inputs(client)
        answers = world.probabilities(inputs)
        for row, number in enumerate(client.tolist()):
            yield Record(
                id=str(uuid.UUID(bytes=random.bytes(16), version=4)),
                time=format_time(START + APART * (start + row)),
                model=MODEL,
                client=f"client-{number}",
                input=Input(shape=list(world.shape), dtype="float32", data=inputs[row].tobytes()),
                output=Output(probabilities=answers[row].tolist()),
            )


@contextmanager
def sending(kafka: str) -> Iterator[Send]:
    """Yield what sends a record to a topic's partition; everything is with the broker at the end.

    It is librdkafka's producer, ten times as fast as kafka-python's, with the settings of our gateway.
    """
    from confluent_kafka import Producer  # noqa: PLC0415  # only installed with the extra `bench`

    producer = Producer(
        {"bootstrap.servers": kafka, "compression.type": "lz4", "linger.ms": 5, "batch.size": 128 * 1024,
         "message.max.bytes": 2 << 20, "enable.idempotence": True}
    )  # fmt: skip

    def send(topic: str, value: bytes, partition: int, **more: Any) -> None:
        while True:
            try:
                producer.produce(topic, value, partition=partition, **more)
            except BufferError:  # its queue is full
                producer.poll(0.1)
            else:
                producer.poll(0)
                return

    yield send
    producer.flush()


def _rows(record: Record) -> int:
    """Return how many rows a batch record holds of such inputs."""
    size = len(record.input.data) if record.input else 1
    return max(min(BATCH_ROWS, BATCH_BYTES // size), 1)


def _send_batch(send: Send, topic: str, rows: list[Record], partition: int) -> int:
    """Send the rows as one record, and forget them; return 1."""
    send(topic, encode_batch(rows), partition, headers=[("content-type", CONTENT_TYPE_BATCH.encode())])
    rows.clear()
    return 1
