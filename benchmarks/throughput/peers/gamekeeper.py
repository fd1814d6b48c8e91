"""Gamekeeper itself: `detect` as it runs, its consumer group, its checkpoints and verdicts in Postgres."""

import threading
from typing import Any

from benchmarks.throughput.measured import Clock, Measured, Told
from consumers import detect, metrics
from consumers.health import Health
from consumers.kafka import Source
from consumers.store.engine import connect
from detector.brokers import Brokers
from detector.wire import RawRecord

GROUP = "gamekeeper-detect"


class Watched(Source):
    """The source of `detect`, which says when the first partition is read and stops once all records have come."""

    def __init__(self, told: Told, stop: threading.Event) -> None:
        super().__init__(told.kafka, GROUP, told.topic)
        self._left = told.records
        self._stop = stop
        self._clock: Clock | None = None
        self.measured: Measured | None = None

    def start(self, partition: int, offset: int) -> None:
        """Begin to count."""
        self._clock = self._clock or Clock()
        super().start(partition, offset)

    def poll(self, seconds: float) -> list[tuple[int, list[RawRecord]]]:
        """Count what comes."""
        polled = super().poll(seconds)
        self._left -= sum(len(records) for _, records in polled)
        if self._left <= 0:
            self._stop.set()  # it takes these yet, and writes a last checkpoint
        return polled

    def close(self) -> None:
        """Read the clock: what is left to do is leaving the group."""
        if self._clock is not None:
            self.measured = self._clock.read(checkpoints=_checkpoints())
        super().close()


def run(told: Told) -> Measured:
    """Read the topic."""
    settings = detect.DetectSettings(Brokers(told.kafka), told.database, schema=told.schema, topic=told.topic)
    engine = connect(told.database, told.schema)
    detect.load()
    stop = threading.Event()
    source = Watched(told, stop)
    detect.read(settings, source, engine, Health(), stop)
    engine.dispose()
    if source.measured is None:
        raise RuntimeError("the group dealt out no partition")
    return source.measured


def _checkpoints() -> int:
    samples: list[Any] = [one for metric in metrics.CHECKPOINT.collect() for one in metric.samples]
    return int(next(one.value for one in samples if one.name.endswith("_count")))
