"""Records that must arrive: a few, each waited for."""

from typing import Any

from kafka import KafkaProducer

from consumers.kafka.connection import opened
from detector.brokers import Brokers

SEND_SECONDS = 5.0  # from sending until the brokers say they have it


class Producer:
    """Writes records, idempotently and acknowledged by all replicas. Connects when first used."""

    def __init__(self, broker: Brokers | str) -> None:
        self._broker = broker
        self._producer: Any = None

    def send(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Write one record and wait until the brokers have it; None is a tombstone.

        Raises KafkaError when that is not known after SEND_SECONDS: the record may still arrive, and twice.
        """
        if self._producer is None:
            self._producer = opened(
                KafkaProducer,
                self._broker,
                acks="all",
                max_block_ms=int(SEND_SECONDS * 1000),
                request_timeout_ms=int(SEND_SECONDS * 1000),
                delivery_timeout_ms=int(SEND_SECONDS * 2000),
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        self._producer.send(topic, key=key, value=value).get(timeout=SEND_SECONDS)

    def close(self) -> None:
        """Let go of the brokers."""
        if self._producer is not None:
            self._producer.close(timeout=1)
