"""Keras models behind one worker thread with micro-batches: the only module that imports TensorFlow, when it loads.

Requests that wait together are answered by one call of the compiled model. The worker waits for others only when the
last call showed that there are others, so a lone client is answered at once.
"""

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import structlog

Floats = npt.NDArray[np.float32]
QUEUE_MAX = 1_024  # requests that may wait for one model
OUTPUT = "output_0"  # as exported Keras models call it; the names of Keras tensors change from load to load
STOP_SECONDS = 0.5  # for the call that is being answered
SLACK = 1e-4  # float32 sums of a softmax are this near to 1, and its members to 0..1

_log = structlog.get_logger("gateway.serving")


class BadModel(ValueError):  # noqa: N818  # named for what it says to the operator
    """A model that cannot be served; the message says which file and why."""

    for_people = True  # the command line shows it as one line


class BadAnswer(RuntimeError):  # noqa: N818  # our fault, told as 500
    """The model answered with something other than probabilities."""


class Busy(RuntimeError):  # noqa: N818  # told as 503
    """Too many requests wait for the model, or it is being stopped."""


@dataclass(slots=True)
class _Job:
    batch: Floats
    answer: "Future[Floats]"


@dataclass
class Served:
    """One model. `shape` is that of one input, without the batch axis; `classes` 1 means a binary score."""

    name: str
    shape: tuple[int, ...]
    classes: int
    input_name: str
    output_name: str
    _call: Any = field(repr=False)  # the compiled model: tensor [n, *shape] -> tensor [n, classes]
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
    def ready(self) -> bool:
        """Tell whether the model answers."""
        return self._thread is not None and self._thread.is_alive()

    def predict(self, batch: Floats) -> "Future[Floats]":
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
            answers = self._ask(np.concatenate([job.batch for job in jobs]))
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
                job.answer.set_result(self._ask(job.batch))
            except BadAnswer as own:
                job.answer.set_exception(own)

    def _ask(self, batch: Floats) -> Floats:
        import tensorflow as tf  # noqa: PLC0415  # five seconds; never at import

        self.calls += 1
        try:
            answers = np.asarray(self._call(batch), dtype=np.float32)
        except tf.errors.OpError as error:
            raise BadAnswer(f"model {self.name}: {error.message}") from error
        if not np.isfinite(answers).all() or answers.min() < -SLACK or answers.max() > 1 + SLACK:
            raise BadAnswer(f"model {self.name} answered with something other than probabilities")
        return answers.clip(0.0, 1.0)


Status = Literal["loading", "ready", "failed"]


@dataclass
class Models:
    """The models of a gateway, by name; loaded one after another."""

    files: Mapping[str, Path]
    batch_rows: int = 256
    batch_wait: float = 0.002
    served: dict[str, Served] = field(default_factory=dict)

    def load(self) -> None:
        """Load every model. Raises BadModel."""
        for name, path in self.files.items():
            model = load(name, path)
            model.batch_rows, model.batch_wait = self.batch_rows, self.batch_wait
            self.served[name] = model
            _log.info("model ready", model=name, shape=model.shape, classes=model.classes)

    def start(self) -> None:
        """Start every worker."""
        for model in self.served.values():
            model.start()

    def stop(self) -> None:
        """End every worker."""
        for model in self.served.values():
            model.stop()

    @property
    def ready(self) -> bool:
        """Tell whether every model answers."""
        return set(self.served) == set(self.files) and all(model.ready for model in self.served.values())


def find(models: Path | Mapping[str, Path]) -> dict[str, Path]:
    """Return the files to serve by model name, of a folder or as given. Raises BadModel."""
    if not isinstance(models, Path):
        files = dict(models)
    elif models.suffix == ".keras":
        files = {models.stem: models}
    else:
        files = {path.stem: path for path in sorted(models.glob("*.keras"))}
    if not files:
        raise BadModel(f"{models}: no .keras file to serve")
    for path in files.values():
        if not path.is_file():
            raise BadModel(f"{path}: no such file")
    return files


def opened(path: Path) -> Any:
    """Return the Keras model of a `.keras` file, never unpickling and never running code of it. Raises BadModel."""
    import keras  # noqa: PLC0415  # five seconds; never at import

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
        raise BadModel(f"{path}: {_why(error)}") from error


def load(name: str, path: Path) -> Served:
    """Load a `.keras` file as `opened` does and ask it once. Raises BadModel."""
    import tensorflow as tf  # noqa: PLC0415  # five seconds; never at import

    model = opened(path)
    shape, classes = _dimensions(path, model)

    def call(batch: Any) -> Any:
        return model(batch, training=False)

    signature = [tf.TensorSpec((None, *shape), model.inputs[0].dtype)]
    compiled = tf.function(call, input_signature=signature, autograph=False)
    served = Served(name, shape, classes, model.inputs[0].name, OUTPUT, compiled)
    try:
        served._ask(_probe(shape))  # noqa: SLF001  # compiles, and shows what it answers
    except BadAnswer as error:
        raise BadModel(f"{path}: {error}; end it with softmax or sigmoid") from error
    served.calls = 0
    return served


def _dimensions(path: Path, model: Any) -> tuple[tuple[int, ...], int]:
    """Return one input's shape and the number of classes. Raises BadModel for what this gateway cannot serve."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise BadModel(f"{path}: only models with one input and one output are served")
    shape, answer = model.inputs[0].shape[1:], model.outputs[0].shape
    if any(size is None for size in shape):
        raise BadModel(f"{path}: the input's shape {shape} is not fixed")
    if len(answer) != 2 or answer[1] is None:  # noqa: PLR2004  # batch, classes
        raise BadModel(f"{path}: the answer's shape {answer} is not (batch, classes)")
    return tuple(int(size) for size in shape), int(answer[1])


def _probe(shape: tuple[int, ...]) -> Floats:
    """Return inputs that show logits for what they are: one of zeros, some between 0 and 1; always the same."""
    probe = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    probe[0] = 0
    return probe


def _why(error: Exception) -> str:
    text = str(error)
    if "Lambda" in text or "unsafe" in text.lower():
        return "refused: it holds a Lambda layer or other code, which would run here"
    return f"not a readable Keras model ({text.splitlines()[0][:200] if text else type(error).__name__})"
