"""Our own gateway without Kafka, which hears of decisions by HTTP push alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.enforcement.world import Way, World


@contextmanager
def route(world: World) -> Iterator[Way]:
    """Start it."""
    told = {"KAFKA_BOOTSTRAP_SERVERS": "", "GAMEKEEPER_PUSH_TOKEN": "benchmark"}
    url = world.gateway("push", told, "--keys", str(world.key_file()))
    yield Way(url, push=f"{url}/gamekeeper/decisions")
