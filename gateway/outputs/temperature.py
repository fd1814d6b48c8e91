"""Flatter or steeper answers."""

from typing import Annotated

import msgspec
import numpy as np

from gateway.outputs.rows import Asked, Step, kept_sum, pairs
from gateway.tensors import Floats


class Temperature(Step, frozen=True):
    """Softmax at another temperature: p^(1/T), scaled to the row's sum. Above 1 flatter, below 1 steeper.

    Source: Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural network".
    """

    temperature: Annotated[float, msgspec.Meta(ge=0.01, le=100)]

    def apply(self, asked: Asked) -> Floats:
        """Return float32 [n, K]."""
        rows, classes = pairs(asked.probabilities), asked.probabilities.shape[1]
        top = rows.max(axis=1, keepdims=True)
        tempered = (rows / np.where(top > 0, top, 1)) ** (1 / self.temperature)  # the top is 1: it cannot vanish
        return kept_sum(tempered, rows)[:, -classes:].astype(np.float32)
