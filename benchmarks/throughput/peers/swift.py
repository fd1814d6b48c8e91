"""kafka-python with our unpacking of what was fetched: what that gains over the driver's own."""

from benchmarks.throughput.measured import Clock, Measured, Told
from benchmarks.throughput.peers import raw_kafka_python
from consumers.kafka import swift, unpack


def run(told: Told) -> Measured:
    """Read the topic."""
    unpack.warm()
    batches = raw_kafka_python.polled(told, swift.hasten)
    clock = Clock()
    for _ in batches:
        pass
    return clock.read()
