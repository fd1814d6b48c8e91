"""Writes the stream at an even pace, on a thread of its own, whatever happens to the broker."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer

from benchmarks.chaos.stream import Sent
from detector.records import CONTENT_TYPE_BATCH

PATIENCE_MS = 120_000  # of one record: far more than any outage of the broker here
HEADERS = [("content-type", CONTENT_TYPE_BATCH.encode())]
STEP_SECONDS = 0.02  # between two looks at the clock


class Writing(threading.Thread):
    """The producer; `failures` are records of which it is not known that they were written."""

    def __init__(self, bootstrap: str, topic: str, stream: Sequence[Sent], seconds: float) -> None:
        super().__init__(name="writing", daemon=True)
        self.failures: list[str] = []
        self._broker = bootstrap
        self._topic = topic
        self._stream = stream
        self._seconds = seconds

    def run(self) -> None:
        """Write everything, evenly over `seconds`; in order for each partition, once each (idempotent producer)."""
        producer = KafkaProducer(
            bootstrap_servers=self._broker,
            acks="all",
            linger_ms=20,
            max_block_ms=PATIENCE_MS,
            delivery_timeout_ms=PATIENCE_MS,
            reconnect_backoff_max_ms=1_000,
        )
        begun, at = time.monotonic(), 0
        while at < len(self._stream):
            due = int(len(self._stream) * min((time.monotonic() - begun) / self._seconds, 1.0))
            for sent in self._stream[at:due]:
                self._send(producer, sent)
            at = max(at, due)
            time.sleep(STEP_SECONDS)
        producer.flush(timeout=PATIENCE_MS / 1000)
        producer.close()

    def _send(self, producer: Any, sent: Sent) -> None:
        headers = HEADERS if sent.batch else None
        future = producer.send(self._topic, sent.value, key=sent.key, headers=headers, partition=sent.partition)
        future.add_errback(lambda error: self.failures.append(repr(error)))
