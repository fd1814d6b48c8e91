"""The query log: every prediction goes to the topic `predictions`, and never delays or fails an answer.

A request only appends to a bounded queue. A thread of its own encodes and hands over to Kafka. When Kafka is slow or
away the queue fills, and then the oldest go: counted, and visible in /healthz and /metrics.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import structlog

from detector import records
from detector.decision import Action, Decision
from detector.times import format_time
from gateway import kafka
from gateway.outputs import is_label, labels
from gateway.settings import LogBounds
from gateway.table import Asker

ENTRY_BYTES = 512  # what an entry costs beside its arrays, about
RETRY_SECONDS = 0.5
IDLE_SECONDS = 0.5

_STEPS: Mapping[Action, records.Step] = {
    Action.ALLOW: "allow",
    Action.PERTURB: "perturb",
    Action.THROTTLE: "throttle",
    Action.BLOCK: "block",
}
_log = structlog.get_logger("gateway.querylog")


@dataclass(frozen=True, slots=True)
class Withheld:
    """What would have been done to a request, were its policy not in shadow."""

    decision: Decision | None
    status: int
    served: npt.NDArray[np.float32] | None  # [n, K]; None: what it did get


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client asked in one request, and got: n predictions, or one refusal (then the arrays are None)."""

    asker: Asker
    model: str
    time: int  # µs since 1970 UTC, when it was answered
    status: int
    decision: Decision | None = None  # the one in force, if any
    input: npt.NDArray[np.float32] | None = None  # [n, …]
    output: npt.NDArray[np.float32] | None = None  # [n, K], the model's own answer
    served: npt.NDArray[np.float32] | None = None  # [n, K], what the client got, if that was another
    withheld: Withheld | None = None
    version: str | None = None  # of the model that answered

    @property
    def rows(self) -> int:
        """Return how many records this makes."""
        return 1 if self.output is None else len(self.output)

    @property
    def bytes(self) -> int:
        """Return about how much memory it holds."""
        arrays = (self.input, self.output, self.served)
        return ENTRY_BYTES + sum(array.nbytes for array in arrays if array is not None)


@dataclass
class QueryLog:
    """The queue and its thread. Without `writer` nothing is kept (a gateway that runs alone)."""

    writer: kafka.Writer | None
    topic: str = "predictions"
    bounds: LogBounds = field(default_factory=LogBounds)
    dropped: int = 0  # predictions that will never reach Kafka
    logged: int = 0  # predictions handed to Kafka
    waiting_rows: int = 0
    waiting_bytes: int = 0
    why: str = ""  # why Kafka does not take records, while it does not
    _queue: deque[Answer] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _wake: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        if self.writer is not None:
            self._thread = threading.Thread(target=self._run, args=(self.writer,), name="querylog", daemon=True)
            self._thread.start()

    def put(self, answer: Answer) -> None:
        """Queue an answer; never waits for Kafka. Makes room by dropping the oldest."""
        if self.writer is None:
            return
        with self._lock:
            self._queue.append(answer)
            self.waiting_rows += answer.rows
            self.waiting_bytes += answer.bytes
            while self.waiting_rows > self.bounds.rows or self.waiting_bytes > self.bounds.bytes:
                self.dropped += self._pop().rows
        self._wake.set()

    def lost(self) -> int:
        """Return how many predictions never reached Kafka: dropped here, or given up by the driver."""
        return self.dropped + (self.writer.failed if self.writer is not None else 0)

    def stop(self, seconds: float) -> None:
        """Write what waits, for at most `seconds`; the rest is counted as dropped."""
        deadline = time.monotonic() + seconds
        self._stop.set()
        self._wake.set()
        if self.writer is None or self._thread is None:
            return
        self._thread.join(seconds)
        left = deadline - time.monotonic()
        if not self.writer.flush(max(left, 0.1)):
            _log.error("the last records were not acknowledged", topic=self.topic)
        self.writer.close()
        with self._lock:
            self.dropped += self.waiting_rows
            self._queue.clear()
            self.waiting_rows = self.waiting_bytes = 0
        if self.dropped:
            _log.error("predictions dropped", count=self.dropped, why=self.why)

    def _pop(self) -> Answer:
        """Take the oldest; the caller holds the lock."""
        answer = self._queue.popleft()
        self.waiting_rows -= answer.rows
        self.waiting_bytes -= answer.bytes
        return answer

    def _next(self) -> Answer | None:
        with self._lock:
            return self._pop() if self._queue else None

    def _run(self, writer: kafka.Writer) -> None:
        while True:
            answer = self._next()
            if answer is not None:
                self._write(writer, answer)
            elif self._stop.is_set():
                return
            else:
                self._wake.wait(IDLE_SECONDS)
                self._wake.clear()

    def _write(self, writer: kafka.Writer, answer: Answer) -> None:
        key = answer.asker.client.encode()
        for value in encode(answer):
            if len(value) > kafka.RECORD_BYTES:  # no reader would take it
                self.dropped += 1
            elif self._deliver(writer, key, value):
                self.logged += 1
            else:
                self.dropped += 1

    def _deliver(self, writer: kafka.Writer, key: bytes, value: bytes) -> bool:
        """Hand one record over, again and again while Kafka is away; False when we are stopping."""
        while True:
            try:
                writer.send(self.topic, key, value)
            except kafka.Away as away:
                self._complain(str(away))
                if self._stop.wait(RETRY_SECONDS):
                    return False
            else:
                self.why = ""
                return True

    def _complain(self, why: str) -> None:
        if not self.why:
            _log.warning("Kafka does not take the query log", why=why, waiting=self.waiting_rows)
        self.why = why


def encode(answer: Answer) -> Iterator[bytes]:
    """Yield the records of an answer, one a prediction."""
    for row in range(answer.rows):
        yield records.encode_record(record(answer, row))


def record(answer: Answer, row: int) -> records.Record:
    """Return the query record of one row."""
    return records.Record(
        id=str(uuid.uuid4()),  # in the form in which people are shown it
        time=format_time(answer.time),
        model=answer.model,
        model_version=answer.version,
        client=answer.asker.client,
        tenant=answer.asker.tenant,
        source_ip=answer.asker.ip,
        input=_input(answer.input, row),
        output=_probabilities(answer.output, row),
        served=_told(answer.served, row),
        withheld=_withheld(answer.withheld, row),
        enforced=_enforced(answer.decision),
        status=answer.status,
    )


def _input(array: npt.NDArray[np.float32] | None, row: int) -> records.Input | None:
    if array is None:
        return None
    little = np.ascontiguousarray(array[row], dtype="<f4")
    return records.Input(shape=list(little.shape), dtype="float32", data=little.tobytes())


def _probabilities(array: npt.NDArray[np.float32] | None, row: int) -> records.Output | None:
    return None if array is None else records.Output(probabilities=array[row].tolist())


def _told(served: npt.NDArray[np.float32] | None, row: int) -> records.Output | None:
    """Return what is served in place of the true answer: where it says no more than a label, the label."""
    if served is None:
        return None
    told = served[row : row + 1]
    return records.Output(label=int(labels(told)[0])) if is_label(told[0]) else _probabilities(served, row)


def _withheld(withheld: Withheld | None, row: int) -> records.Withheld | None:
    if withheld is None:
        return None
    return records.Withheld(withheld.status, _enforced(withheld.decision), _told(withheld.served, row))


def _enforced(decision: Decision | None) -> records.Enforced | None:
    if decision is None:
        return None
    return records.Enforced(_STEPS[decision.action], decision.id, decision.serial)
