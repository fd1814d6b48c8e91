"""The topics: made with the right settings, and checked. What differs is reported, never silently altered."""

from dataclasses import dataclass

from consumers.kafka import Made, describe, make_topics
from detector.brokers import Brokers
from detector.topics import Topics

_DAY_MS = 86_400_000
_RECORD_BYTES = (1 << 20) + (1 << 16)  # the size limit of a query record, and room for key, headers and framing

PREDICTIONS = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * _DAY_MS),
    "max.message.bytes": str(_RECORD_BYTES),
    "message.timestamp.type": "LogAppendTime",  # the broker's own clock: a client's time is judged against it
}
TABLE = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",  # small topics that gateways read whole at their start: keep them short
    "segment.ms": str(_DAY_MS // 24),  # only closed segments are compacted
    "delete.retention.ms": str(_DAY_MS),  # a gateway that was away for less sees every tombstone
}


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is, and in what it differs from what it should be."""

    name: str
    created: bool
    partitions: int
    differences: tuple[str, ...]


def ensure(broker: Brokers | str, partitions: int = 8, prefix: str = "") -> list[TopicState]:
    """Create the topics that do not exist and say how all of them are. Raises KafkaError."""
    wanted = _wanted(partitions, prefix)
    return [_state(made, *wanted[made.name]) for made in make_topics(broker, wanted)]


def look(broker: Brokers | str, partitions: int = 8, prefix: str = "") -> dict[str, TopicState | None]:
    """Say how all topics are by name, None for those that are missing; make none. Raises KafkaError."""
    wanted = _wanted(partitions, prefix)
    found = {made.name: _state(made, *wanted[made.name]) for made in describe(broker, wanted)}
    return {name: found.get(name) for name in wanted}


def _wanted(partitions: int, prefix: str) -> dict[str, tuple[int, dict[str, str]]]:
    topics = Topics(prefix)
    tables = (topics.decisions, topics.keys, topics.gateway_status)
    # one partition each: small, and all of it in order
    return {topics.predictions: (partitions, PREDICTIONS)} | dict.fromkeys(tables, (1, TABLE))


def _state(made: Made, partitions: int, settings: dict[str, str]) -> TopicState:
    differences = [
        f"{name} is {made.settings.get(name)}, should be {value}"
        for name, value in settings.items()
        if made.settings.get(name) != value
    ]
    if made.partitions != partitions:
        differences.append(f"has {made.partitions} partitions, should have {partitions}")
    return TopicState(made.name, made.created, made.partitions, tuple(differences))
