"""What a model is to those who ask it, and what can be wrong with one."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class BadModel(ValueError):  # noqa: N818  # named for what it says to the operator
    """A model that cannot be served; the message says which file and why."""

    for_people = True  # the command line shows it as one line


class BadAnswer(RuntimeError):  # noqa: N818  # our fault, told as 500
    """The model answered with something other than probabilities."""


class Busy(RuntimeError):  # noqa: N818  # told as 503
    """Too many requests wait for the model."""


class Model(Protocol):
    """What answers under one name: one Keras model, or several as an ensemble.

    `shape` is that of one input, without the batch axis; `classes` 1 means a binary score.
    """

    @property
    def name(self) -> str:
        """Under which it is asked."""

    @property
    def version(self) -> str:
        """Its version, a whole number."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""

    @property
    def classes(self) -> int:
        """How many probabilities it answers with."""

    @property
    def input_name(self) -> str:
        """What its input is called."""

    @property
    def output_name(self) -> str:
        """What its output is called."""

    @property
    def members(self) -> Sequence["Model"]:
        """The Keras models behind it."""

    @property
    def calls(self) -> int:
        """How often a Keras model was called."""

    @property
    def ready(self) -> bool:
        """Tell whether it answers."""

    def predict(self, batch: Floats, client: str = "") -> Future[Floats]:
        """Return a future of probabilities float32 [n, classes] for float32 [n, *shape]. Raises Busy.

        `client` is who asks. The future may raise BadAnswer.
        """
