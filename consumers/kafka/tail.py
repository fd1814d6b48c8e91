"""A small compacted topic, read from its beginning and then as it comes, outside any consumer group."""

from typing import Any

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from consumers.kafka.connection import opened
from consumers.kafka.unpack import raw
from detector.brokers import Brokers
from detector.wire import RawRecord


class Tail:
    """A reader of one topic. Connects when first polled; not thread-safe."""

    def __init__(self, broker: Brokers | str, topic: str) -> None:
        self._broker = broker
        self._topic = topic
        self._consumer: Any = None

    def poll(self, seconds: float) -> list[RawRecord]:
        """Return what has come.

        Raises KafkaError when no broker answers at the start, LookupError when there is no such topic.
        """
        consumer = self._consumer or self._connect()
        if not consumer.assignment():
            places = [TopicPartition(self._topic, number) for number in consumer.partitions_for_topic(self._topic)]
            if not places:
                raise LookupError(f"topic {self._topic!r} does not exist")
            consumer.assign(places)
        polled = consumer.poll(timeout_ms=int(seconds * 1000))
        return [raw(record) for records in polled.values() for record in records]

    def close(self) -> None:
        """Let go of the brokers."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _connect(self) -> Any:
        self._consumer = opened(
            KafkaConsumer,
            self._broker,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        return self._consumer
