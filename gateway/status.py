"""Says on the topic `gateway_status` what this gateway has applied: each few seconds, and soon after a change."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from detector.records import GatewayStatus, encode_gateway_status
from gateway import kafka

EVERY_SECONDS = 2.0
SETTLE_SECONDS = 0.05  # a burst of decisions makes one record
WAITING_MAX = 16


@dataclass
class Reporter:
    """The thread that reports what `status` returns."""

    writer: kafka.Writer
    topic: str
    status: Callable[[], GatewayStatus]
    why: str = ""  # why Kafka does not take the report, while it does not
    _changed: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to report."""
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """Ask for a report in a moment; called from any thread."""
        self._changed.set()

    def stop(self, seconds: float = 1.0) -> None:
        """End the thread."""
        self._stop.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join(seconds)
        self.writer.flush(0.5)
        self.writer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._report()
            if self._changed.wait(EVERY_SECONDS):
                self._stop.wait(SETTLE_SECONDS)
            self._changed.clear()

    def _report(self) -> None:
        status = self.status()
        try:
            self.writer.send(self.topic, status.gateway.encode(), encode_gateway_status(status))
            self.why = ""
        except kafka.Away as away:
            self.why = str(away)
