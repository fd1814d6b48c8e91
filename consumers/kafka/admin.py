"""Questions to the brokers about topics, and the making of them."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from consumers.kafka.connection import opened
from detector.brokers import Brokers


@dataclass(frozen=True, slots=True)
class Made:
    """A topic as the brokers describe it."""

    name: str
    created: bool
    partitions: int
    settings: Mapping[str, str]


def make_topics(broker: Brokers | str, wanted: Mapping[str, tuple[int, Mapping[str, str]]]) -> list[Made]:
    """Create those topics (name: partitions, settings) that do not exist; return how all of them are.

    Never alters one that is there. Raises KafkaError.
    """
    with _admin(broker) as admin:
        created = {
            name for name, (partitions, settings) in wanted.items() if _create(admin, name, partitions, settings)
        }
        admin.wait_for_topics(list(wanted))
        return [replace(made, created=made.name in created) for made in _described(admin, wanted)]


def describe(broker: Brokers | str, names: Collection[str]) -> list[Made]:
    """Return how those of the topics are that exist, in the order of their names here. Raises KafkaError."""
    with _admin(broker) as admin:
        return _described(admin, names)


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as it is now."""

    id: str  # a topic made again under the same name does not share it; "" where the brokers give none (before 2.8)
    partitions: int


def find(broker: Brokers | str, topic: str) -> Found | None:
    """Return how `topic` is, None when there is no such topic. Raises KafkaError."""
    with _admin(broker) as admin:
        [described] = admin.describe_topics([topic])
    return None if described["error_code"] else Found(str(described["topic_id"] or ""), len(described["partitions"]))


def _described(admin: Any, names: Collection[str]) -> list[Made]:
    told = admin.describe_topics(list(names))
    partitions_of = {topic["name"]: len(topic["partitions"]) for topic in told if not topic["error_code"]}
    there = [name for name in names if name in partitions_of]
    if not there:
        return []
    found = admin.describe_configs([ConfigResource("topic", name) for name in there], config_filter="all")["topic"]
    return [
        Made(name, False, partitions_of[name], {key: one["value"] for key, one in found[name].items()})
        for name in there
    ]


@contextmanager
def _admin(broker: Brokers | str) -> Iterator[Any]:
    admin = opened(KafkaAdminClient, broker)
    try:
        yield admin
    finally:
        admin.close()


def _create(admin: Any, name: str, partitions: int, settings: Mapping[str, str]) -> bool:
    options = {"num_partitions": partitions, "replication_factor": -1, "configs": dict(settings)}
    try:
        admin.create_topics({name: options})
    except TopicAlreadyExistsError:
        return False
    return True
