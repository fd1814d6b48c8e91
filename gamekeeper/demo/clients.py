"""What a client of the demo is: a script that yields batches of inputs and is sent the answers.

The same script runs over HTTP (traffic.py) and in process (drive).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gamekeeper.demo.data import CLASSES, Images, Labels, Parts

PER_REQUEST = 8  # most instances a client puts into one request


@dataclass(frozen=True, slots=True)
class Answers:
    """What a client was given for a batch: labels [n], probabilities [n, 10] (one-hot where only a label was given)."""

    labels: Labels
    probabilities: npt.NDArray[np.float32]


Script: TypeAlias = Generator[Images, Answers, None]
Ask: TypeAlias = Callable[[Images], Answers | None]
"""Puts a batch to the model; None when the client is refused for good."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of client. `start` makes the script of one client out of the images and its own randomness."""

    name: str
    about: str
    honest: bool
    start: Callable[[Parts, np.random.Generator], Script]
    control: bool = False  # a thief whose queries nobody can tell from an honest client's; not counted


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a client has to show: the inputs [n, 8, 8] that were answered, and the answers."""

    inputs: Images
    answers: Answers
    refused: bool

    def __len__(self) -> int:
        return len(self.inputs)


class Conversation:
    """A script under way: what it asks next, and what it was answered so far."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._inputs: list[Images] = []
        self._answers: list[Answers] = []
        self.asked = 0  # instances that were answered
        self.refused = False
        self.batch: Images | None = next(script, None)

    def hear(self, answers: Answers) -> None:
        """Give the script the answers to its batch and take its next one."""
        if self.batch is None:
            return
        self._inputs.append(self.batch)
        self._answers.append(answers)
        self.asked += len(self.batch)
        try:
            self.batch = self._script.send(answers)
        except StopIteration:
            self.batch = None

    def learnt(self) -> Learnt:
        """Return all inputs and answers so far."""
        if not self._inputs:
            return Learnt(np.empty((0, 8, 8), np.float32), as_answers(np.empty((0, CLASSES))), self.refused)
        probabilities = np.concatenate([answers.probabilities for answers in self._answers])
        labels = np.concatenate([answers.labels for answers in self._answers])
        return Learnt(np.concatenate(self._inputs), Answers(labels, probabilities), self.refused)


def drive(conversation: Conversation, ask: Ask, queries: int) -> Learnt:
    """Go on with a conversation in process until it has had `queries` answers, ends or is refused."""
    while conversation.batch is not None and conversation.asked < queries:
        answers = ask(conversation.batch)
        if answers is None:
            conversation.refused = True
            break
        conversation.hear(answers)
    return conversation.learnt()


def as_answers(probabilities: npt.NDArray[np.floating]) -> Answers:
    """Return answers out of probabilities [n, 10]."""
    return Answers(probabilities.argmax(axis=1).astype(np.int64), probabilities.astype(np.float32))


def labels_only(labels: Labels) -> Answers:
    """Return answers out of bare labels [n], with one-hot probabilities."""
    return Answers(labels, np.eye(CLASSES, dtype=np.float32)[labels])
