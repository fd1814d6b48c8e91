"""Reference: inputs that the owner knows to be in the model's domain, such as its test set; nobody's life."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from detector.learning.answers import Model
from detector.learning.past import LearnError, generator
from detector.query import Queries

SCALE_MAX: Final = 10.0  # times the past's spread: 0..255 for 0..1 is a mistake, another exposure is not
REFERENCE_MAX: Final = 4_000  # rows that are used: half of the pool at most, the past is the other half


@dataclass(frozen=True, slots=True)
class Reference:
    """Raw inputs with the model's answers, where known."""

    inputs: npt.NDArray[np.float32]  # [n, D]
    label: npt.NDArray[np.int64]  # [n] in the past's labels; -1 unknown
    margin: npt.NDArray[np.float32]  # [n] NaN unknown

    def __len__(self) -> int:
        return len(self.inputs)


def unanswered(inputs: npt.NDArray[np.float32]) -> Reference:
    """Return raw inputs f4[n, D] of which no answer is known."""
    return Reference(inputs, np.full(len(inputs), -1, np.int64), np.full(len(inputs), np.nan, np.float32))


def prepared(reference: Reference, past: Queries, model: Model | None) -> Reference:
    """Return at most REFERENCE_MAX rows, with the model's own answers if it can be asked.

    Raises LearnError for inputs that are none of this model's.
    """
    if past.input is None or reference.inputs.shape[1:] != past.input.shape[1:]:
        size = 0 if past.input is None else past.input.shape[1]
        raise LearnError(
            f"reference: an input has {reference.inputs.shape[1]:,} numbers, the model's have {size:,}; "
            "give data in the form in which the model is asked"
        )
    if not np.isfinite(reference.inputs).all():
        raise LearnError("reference: holds NaN or an infinity; leave those rows out")
    _check_scale(reference.inputs, past.input[past.has_input])
    rows = np.sort(generator("reference", past.model).permutation(len(reference))[:REFERENCE_MAX])
    inputs = reference.inputs[rows]
    label, margin = (reference.label[rows], reference.margin[rows]) if model is None else model.answers(inputs)
    return Reference(inputs, label, margin)


def _check_scale(inputs: npt.NDArray[np.float32], past: npt.NDArray[np.float32]) -> None:
    own, usual = (float(np.std(values, dtype=np.float64)) for values in (inputs, past))
    if own > SCALE_MAX * usual > 0 or usual > SCALE_MAX * own > 0:
        raise LearnError(
            f"reference: its numbers spread by {own:.3g}, those of past inputs by {usual:.3g}; "
            "give data on the scale on which the model is asked"
        )
