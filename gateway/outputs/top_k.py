"""The k likeliest classes."""

from typing import Annotated, Literal

import msgspec
import numpy as np

from gateway.outputs.rows import Asked, Step, kept_sum, pairs
from gateway.tensors import Floats


class TopK(Step, frozen=True):
    """The `k` likeliest classes keep their odds among each other (of equal ones the first are kept).

    `rest` says what the others get: "zero" nothing, so that the k sum to what the row did; "spread" equal parts of
    what was theirs, so that the k keep their very probabilities. The row's sum stays.
    """

    k: Annotated[int, msgspec.Meta(ge=1)]
    rest: Literal["zero", "spread"] = "zero"

    def apply(self, asked: Asked) -> Floats:
        """Return float32 [n, K]."""
        rows, classes = pairs(asked.probabilities), asked.probabilities.shape[1]
        if self.k >= rows.shape[1]:
            return asked.probabilities
        each = np.arange(len(rows))[:, None]
        others = np.argsort(-rows, axis=1, kind="stable")[:, self.k :]
        left = rows[each, others].mean(axis=1, keepdims=True) if self.rest == "spread" else 0
        cut = rows.copy()
        cut[each, others] = left
        return kept_sum(cut, rows)[:, -classes:].astype(np.float32)
