"""Answers: what the model itself says of inputs that nobody asked it, in the labels of the past."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from detector.learning.past import LearnError, Rows, generator, position
from detector.query import Queries
from detector.wire import outputs
from detector.wire.ids import OPAQUE

SAMPLE: Final = 2_000  # past queries that the model is asked again, to see that it is the one that answered them
AGREEMENT_MIN: Final = 0.9  # share of them that it must answer as recorded; near ties may fall to the other side
SLACK: Final = 1e-4  # float32 sums of a softmax are this near to 1, and its members to 0..1

Floats: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]
Ask: TypeAlias = Callable[[Floats], Floats]
"""Raw inputs f4[n, D] -> the model's probabilities f4[n, K]; K = 1 is a binary score. A plain function, handed in."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked. `labels` i8[K] names its columns, -1 unknown; None: a column's index is its label."""

    ask: Ask
    labels: Labels | None = None

    def answers(self, inputs: Floats) -> tuple[Labels, Floats]:
        """Return labels i8[n] and margins f4[n] (top-1 minus top-2 probability) for raw inputs f4[n, D].

        Raises LearnError when what the model says are not probabilities.
        """
        column, margin = _said(self.ask, inputs)
        return self.named(column), margin

    def named(self, column: Labels) -> Labels:
        """Return what the past calls these columns i8[n]."""
        if self.labels is None:
            return column
        within = column < len(self.labels)
        return np.where(within, self.labels[np.where(within, column, 0)], -1)

    def answered(self, made: Queries) -> Queries:
        """Return virtual queries with the model's own answers; margins only where the past holds margins."""
        if made.input is None:
            return made
        label, margin = self.answers(made.input)
        margin = np.where(np.isnan(made.margin_low), np.float32(np.nan), margin)
        return replace(made, label=label, margin_low=margin, margin_high=margin)


def recognised(past: Queries, ask: Ask) -> Model:
    """Return the model, once it has given past inputs the answers that were recorded.

    A class index is the column; opaque labels are matched with columns one to one, as best they agree (Kuhn 1955).
    Raises LearnError when model and records do not belong together.
    """
    rows = _asked_again(past)
    if past.input is None or len(rows) == 0:
        raise LearnError("no past query holds an input and an answer to compare the model with; learn without a model")
    column, _ = _said(ask, past.input[rows])
    model = Model(ask, _names(column, past.label[rows]))
    agreement = float(np.mean(model.named(column) == past.label[rows]))
    if agreement < AGREEMENT_MIN:
        raise LearnError(
            f"the model and the records do not belong together: it gives {agreement:.0%} of {len(rows):,} past inputs "
            f"the recorded answer, {AGREEMENT_MIN:.0%} are needed; give the model that answered these records, on "
            "inputs as it takes them, or only records since it was last replaced"
        )
    return model


def _asked_again(past: Queries) -> Rows:
    """Draw past queries, of each label alike: a model that knows only the usual answer must not pass."""
    rng = generator("asked again", past.model)
    rows = rng.permutation(np.flatnonzero(past.has_input & (past.label >= 0)))
    if len(rows) == 0:
        return rows
    rows = rows[np.argsort(past.label[rows], kind="stable")]
    each = -(-SAMPLE // len(np.unique(past.label[rows])))
    drawn: Rows = rng.permutation(rows[position(past.label[rows]) < each])[:SAMPLE]
    return drawn


def _said(ask: Ask, inputs: Floats) -> tuple[Labels, Floats]:
    given = np.asarray(ask(inputs), np.float32)
    if given.ndim != 2 or len(given) != len(inputs) or given.shape[1] == 0:  # noqa: PLR2004  # rows, columns
        raise LearnError(f"the model answered {len(inputs):,} inputs with {given.shape} numbers: not rows of classes")
    inside = (given >= -SLACK) & (given <= 1 + SLACK)  # a NaN is not inside
    if not inside.all():
        raise LearnError("the model answered with numbers outside 0..1: probabilities are needed (softmax or sigmoid)")
    read = outputs.blank(len(given))
    outputs.put_probabilities(read, np.arange(len(given)), given.clip(0, 1))
    return read.label, read.margin_high


def _names(column: Labels, recorded: Labels) -> Labels | None:
    if recorded.max() < OPAQUE:
        return None
    values, place = np.unique(recorded, return_inverse=True)
    together = np.zeros((int(column.max()) + 1, len(values)))
    np.add.at(together, (column, place), 1)
    one, other = linear_sum_assignment(together, maximize=True)
    names = np.full(len(together), -1, np.int64)
    names[one] = np.where(together[one, other] > 0, values[other], -1)
    return names
