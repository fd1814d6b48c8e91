"""Answers that lie about confidence, the more the surer they are."""

from typing import Annotated

import msgspec
import numpy as np

from gateway.outputs.rows import Asked, Step, kept_sum, pairs
from gateway.tensors import Floats

CLIP = 1e-9  # as in ART


class ReverseSigmoid(Step, frozen=True):
    """p - beta (sigmoid(gamma logit(p)) - 1/2), clipped to 0..1 and scaled to the row's sum, as ART's has it.

    Several p give the same answer, so none is told; in float64, where ART's clip still holds for a p of 1.
    Source: Lee, Edwards, Molloy, Su 2018, "Defending against model stealing attacks using deceptive perturbations".
    """

    beta: Annotated[float, msgspec.Meta(gt=0, le=10)] = 1.0  # how much is taken away
    gamma: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.1  # how steeply

    def apply(self, asked: Asked) -> Floats:
        """Return float32 [n, K]."""
        rows, classes = pairs(asked.probabilities), asked.probabilities.shape[1]
        inside = rows.clip(CLIP, 1 - CLIP)
        sigmoid = 1 / (1 + ((1 - inside) / inside) ** self.gamma)  # of gamma logit(p)
        bent = (rows - self.beta * (sigmoid - 0.5)).clip(0, 1)
        return kept_sum(bent, rows)[:, -classes:].astype(np.float32)
