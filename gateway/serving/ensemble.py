"""Several Keras models behind one name, so that what a client learns is of no single one of them.

Who copies an ensemble of which each client meets another part copies a mixture, and its answers to others do not
fit together (Kariyappa, Prakash, Qureshi 2021, "Protecting DNNs from Theft using an Ensemble of Diverse Models").
"""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.serving.batching import Served
from gateway.serving.model import BadAnswer, BadModel, Floats

Rows = npt.NDArray[np.intp]
Share = tuple[Served, Rows]  # who answers, and which rows of the batch


class Ensemble(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How models answer together, as the gateway's policy has it under `[models.NAME.ensemble]`.

    - average: the mean of all members' probabilities;
    - random: each query is answered by one member, drawn anew each time. Who asks again meets another member, so
      repeats average it out: use it where answers need not be repeatable;
    - sticky: the mean of `subset` members that a client's name and the gateway's secret choose, always the same ones,
      so that a client cannot average over members. Clients who work together can.

    `by_name`: members are served under their own names too.
    """

    members: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    mode: Literal["average", "random", "sticky"]
    subset: Annotated[int, msgspec.Meta(ge=1)] = 1
    by_name: bool = False

    def __post_init__(self) -> None:
        if len(set(self.members)) < len(self.members):
            raise ValueError("members: one is named twice")
        if self.subset > len(self.members):
            raise ValueError(f"subset: {self.subset} of {len(self.members)} members")


@dataclass(frozen=True, slots=True)
class Ensembled:
    """An ensemble that answers like one model. Its members never change: a new one takes its place instead."""

    name: str
    ensemble: Ensemble
    members: tuple[Served, ...]
    secret: bytes = field(default=b"", repr=False)
    version: str = "1"

    def __post_init__(self) -> None:
        """Check that the members fit. Raises BadModel."""
        first = self.members[0]
        for other in self.members:
            if (other.shape, other.classes) != (first.shape, first.classes):
                raise BadModel(
                    f"ensemble {self.name}: {first.name} takes {first.shape} and knows {first.classes} classes, "
                    f"{other.name} takes {other.shape} and knows {other.classes}; members must agree"
                )
        if self.ensemble.mode == "sticky" and not self.secret:
            raise BadModel(f"ensemble {self.name}: mode sticky needs the gateway's secret; set it, or choose another")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return self.members[0].shape

    @property
    def classes(self) -> int:
        """How many probabilities it answers with."""
        return self.members[0].classes

    @property
    def input_name(self) -> str:
        """What the first member's input is called."""
        return self.members[0].input_name

    @property
    def output_name(self) -> str:
        """What the first member's output is called."""
        return self.members[0].output_name

    @property
    def calls(self) -> int:
        """How often its members were called."""
        return sum(member.calls for member in self.members)

    @property
    def ready(self) -> bool:
        """Tell whether every member answers."""
        return all(member.ready for member in self.members)

    def predict(self, batch: Floats, client: str = "") -> "Future[Floats]":
        """Return a future of probabilities float32 [n, classes] for float32 [n, *shape]. Raises Busy.

        The members are asked at once, each by its own worker. The future may raise BadAnswer.
        """
        shares = MODES[self.ensemble.mode](self, len(batch), client)
        answers = _ask(shares, batch)
        return _together(shares, answers, (len(batch), self.classes))


def _average(ensembled: Ensembled, rows: int, _client: str) -> Sequence[Share]:
    return [(member, np.arange(rows)) for member in ensembled.members]


def _random(ensembled: Ensembled, rows: int, _client: str) -> Sequence[Share]:
    drawn = np.random.default_rng().integers(len(ensembled.members), size=rows)
    shares = [(member, np.flatnonzero(drawn == at)) for at, member in enumerate(ensembled.members)]
    return [(member, own) for member, own in shares if len(own)]


def _sticky(ensembled: Ensembled, rows: int, client: str) -> Sequence[Share]:
    """Rank the members by a keyed hash (rendezvous): one that joins or leaves changes few clients' subsets."""

    def rank(member: Served) -> bytes:
        about = b"\0".join(text.encode() for text in (ensembled.name, member.name, client))
        return hashlib.blake2b(about, key=hashlib.sha256(ensembled.secret).digest(), digest_size=16).digest()

    chosen = sorted(ensembled.members, key=rank)[: ensembled.ensemble.subset]
    return [(member, np.arange(rows)) for member in chosen]


MODES: Mapping[str, Callable[[Ensembled, int, str], Sequence[Share]]] = {
    "average": _average,
    "random": _random,
    "sticky": _sticky,
}


def _ask(shares: Sequence[Share], batch: Floats) -> "list[Future[Floats]]":
    answers: list[Future[Floats]] = []
    try:
        for member, rows in shares:
            answers.append(member.predict(batch[rows]))  # those asked before a Busy must be cancelled
    finally:
        if len(answers) < len(shares):
            _cancel(answers)
    return answers


def _cancel(answers: "Sequence[Future[Floats]]") -> None:
    for answer in answers:
        answer.cancel()


def _together(shares: Sequence[Share], answers: "Sequence[Future[Floats]]", shape: tuple[int, int]) -> "Future[Floats]":
    """Return a future that the last member to answer fills; cancelled, it cancels what was asked of the members."""
    whole: Future[Floats] = Future()
    whole.add_done_callback(lambda done: _cancel(answers) if done.cancelled() else None)
    lock = threading.Lock()
    left = len(answers)

    def answered(_answer: "Future[Floats]") -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last and whole.set_running_or_notify_cancel():
            _fill(whole, shares, answers, shape)

    for answer in answers:
        answer.add_done_callback(answered)
    return whole


def _fill(
    whole: "Future[Floats]", shares: Sequence[Share], answers: "Sequence[Future[Floats]]", shape: tuple[int, int]
) -> None:
    """Put the mean of what was answered to each row, summed in the members' order whoever was first."""
    total = np.zeros(shape, np.float32)
    count = np.zeros((shape[0], 1), np.float32)
    try:
        for (_, rows), answer in zip(shares, answers, strict=True):
            total[rows] += answer.result()
            count[rows] += 1
    except BadAnswer as error:
        whole.set_exception(error)
        return
    whole.set_result(total / count)
