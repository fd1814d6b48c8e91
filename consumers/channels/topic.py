"""The compacted topic of decisions: what gateways read. Of each key the newest stays."""

from dataclasses import dataclass

from consumers.channels.outcome import Delivered, Outcome, Retry
from consumers.kafka import KafkaError, Producer
from consumers.store.outbox import Delivery


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and the producer that writes to it."""

    name: str
    producer: Producer


def send(delivery: Delivery, topic: Topic) -> Outcome:
    """Write one record; a delivery without a payload is a tombstone."""
    try:
        topic.producer.send(topic.name, delivery.key, delivery.payload)
    except KafkaError as error:
        return Retry(f"Kafka: {type(error).__name__}")
    return Delivered()
