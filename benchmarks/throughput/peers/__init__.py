"""Who reads the stream. Adding a reader is one file with `run` and one line here."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.throughput.measured import Measured, Told
from benchmarks.throughput.peers import gamekeeper, naive_river, quix, raw_confluent, raw_kafka_python, swift


@dataclass(frozen=True, slots=True)
class Peer:
    """A reader of one of the two topics."""

    run: Callable[[Told], Measured]
    batch: bool = False
    judges: bool = False  # it is ours, and needs a population in Postgres


PEERS = {
    "raw kafka-python": Peer(raw_kafka_python.run),
    "kafka-python, unpacked swiftly": Peer(swift.run),
    "raw confluent-kafka": Peer(raw_confluent.run),
    "gamekeeper json": Peer(gamekeeper.run, judges=True),
    "gamekeeper batch": Peer(gamekeeper.run, batch=True, judges=True),
    "quix": Peer(quix.run),
    "naive river": Peer(naive_river.run),
}
