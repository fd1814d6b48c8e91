"""A model behind its worker thread, with micro-batches.

Requests that wait together are answered by one call of the compiled model. The worker waits for others only when the
last call showed that there are others, so a lone client is answered at once.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import structlog

from gateway.serving.model import BadAnswer, Busy, Floats

QUEUE_MAX = 1_024  # requests that may wait for one model
STOP_SECONDS = 0.5  # for the call that is being answered
SLACK = 1e-4  # float32 sums of a softmax are this near to 1, and its members to 0..1

_log = structlog.get_logger("gateway.serving")


@dataclass(slots=True)
class _Job:
    batch: Floats
    answer: "Future[Floats]"


@dataclass(eq=False)
class Served:
    """One Keras model. `shape` is that of one input, without the batch axis; `classes` 1 means a binary score."""

    name: str
    shape: tuple[int, ...]
    classes: int
    input_name: str
    output_name: str
    _call: Callable[[Floats], Floats] = field(repr=False)  # float32 [n, *shape] -> [n, classes]; may raise BadAnswer
    batch_rows: int = 256
    batch_wait: float = 0.002
    version: str = "1"
    calls: int = 0  # calls of the model, for tests and metrics
    _jobs: "queue.Queue[_Job | None]" = field(default_factory=lambda: queue.Queue(QUEUE_MAX), repr=False)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the worker."""
        self._thread = threading.Thread(target=self._work, name=f"model-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end the worker."""
        if self._thread is not None:
            self._end()
            self._thread.join(STOP_SECONDS)
            self._thread = None

    def _end(self) -> None:
        try:
            self._jobs.put(None, timeout=STOP_SECONDS)
        except queue.Full:  # it hangs; the thread is a daemon
            _log.error("model does not answer", model=self.name)

    @property
    def members(self) -> "tuple[Served, ...]":
        """Return the Keras models behind it: itself."""
        return (self,)

    @property
    def ready(self) -> bool:
        """Tell whether the model answers."""
        return self._thread is not None and self._thread.is_alive()

    def predict(self, batch: Floats, client: str = "") -> "Future[Floats]":  # noqa: ARG002  # all clients are one here
        """Return a future of probabilities float32 [n, classes] for float32 [n, *shape]. Raises Busy.

        The future may raise BadAnswer.
        """
        job = _Job(batch, Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise Busy(f"{QUEUE_MAX} requests wait for model {self.name}") from None
        return job.answer

    def _work(self) -> None:
        others = False
        while (first := self._jobs.get()) is not None:
            jobs, ended = self._gather(first, others)
            others = len(jobs) > 1
            self._answer(jobs)
            if ended:
                return

    def _gather(self, first: _Job, others: bool) -> tuple[list[_Job], bool]:
        """Return `first` and what else is asked within the wait, up to a batch; and whether we were told to end."""
        jobs, rows = [first], len(first.batch)
        deadline = time.monotonic() + (self.batch_wait if others else 0.0)
        while rows < self.batch_rows:
            try:
                job = (
                    self._jobs.get(timeout=max(deadline - time.monotonic(), 0.0)) if others else self._jobs.get_nowait()
                )
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
            rows += len(job.batch)
        return jobs, False

    def _answer(self, jobs: Sequence[_Job]) -> None:
        jobs = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
        if not jobs:
            return
        try:
            answers = self.ask(np.concatenate([job.batch for job in jobs]))
        except BadAnswer as error:
            self._fail(jobs, error)
            return
        start = 0
        for job in jobs:
            job.answer.set_result(answers[start : start + len(job.batch)])
            start += len(job.batch)

    def _fail(self, jobs: Sequence[_Job], error: BadAnswer) -> None:
        """One row's bad answer must not fail the others: ask one by one when they were asked together."""
        if len(jobs) == 1:
            jobs[0].answer.set_exception(error)
            return
        for job in jobs:
            try:
                job.answer.set_result(self.ask(job.batch))
            except BadAnswer as own:
                job.answer.set_exception(own)

    def ask(self, batch: Floats) -> Floats:
        """Ask the model in this thread: float32 [n, *shape] to [n, classes] within 0..1. Raises BadAnswer."""
        self.calls += 1
        answers = self._call(batch)
        if not np.isfinite(answers).all() or answers.min() < -SLACK or answers.max() > 1 + SLACK:
            raise BadAnswer(f"model {self.name} answered with something other than probabilities")
        return answers.clip(0.0, 1.0)
