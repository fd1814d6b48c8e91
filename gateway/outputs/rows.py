"""What every step is given, and what steps share: rows of probabilities, pure.

A row has K members, one a class. K = 1 is a binary score p: the pair of classes (1 - p, p), of which p is told.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.tensors import Floats

Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag=_snake):
    """One way to say less. A subclass has its parameters, bounded, and `apply(asked) -> float32 [n, K]`.

    `apply` never changes what it is given; a row of a batch is answered as if it were asked alone.
    """

    keyed: ClassVar[bool] = False  # it draws from the installation's secret, which then must be set


@dataclass(frozen=True, slots=True)
class Asked:
    """What a step is given: `probabilities` float32 [n, K] that `model` (or the step before) answered.

    `secret` is the installation's: who has it can undo what noise does.
    """

    model: str
    probabilities: Floats
    secret: bytes = field(repr=False)


def pairs(probabilities: Floats) -> Doubles:
    """Return a copy of [n, K] as float64 [n, max(K, 2)]: of a binary score both classes. `[:, -K:]` leads back."""
    rows = probabilities.astype(np.float64)
    return np.concatenate([1 - rows, rows], axis=1) if rows.shape[1] == 1 else rows


def labels(probabilities: Floats) -> Labels:
    """Return the class of each row of [n, K]: the first of the highest; of a binary score, 1 above one half."""
    top: Labels = pairs(probabilities).argmax(axis=1)
    return top


def is_label(row: Floats) -> bool:
    """Tell whether a row [K] says no more than its class: it is one-hot, or a binary score of 0 or 1."""
    return bool(np.isin(row, (0, 1)).all() and (len(row) == 1 or row.sum() == 1))


def kept_sum(rows: Doubles, before: Doubles) -> Doubles:
    """Return `rows` (not negative), each scaled to the sum of its row in `before`; where nothing is left, that row."""
    sums = rows.sum(axis=1, keepdims=True)
    scaled = rows * (before.sum(axis=1, keepdims=True) / np.where(sums > 0, sums, 1))
    return np.where(sums > 0, scaled, before).clip(0, 1)
