"""The label only."""

import numpy as np

from gateway.outputs.rows import Asked, Step, labels
from gateway.tensors import Floats


class ClassLabels(Step, frozen=True):
    """1 at the top class and 0 elsewhere, so that the form of an answer stays; of a binary score, 0 or 1.

    As ART's ClassLabels has it for one row; of several rows ART marks each with the labels of all, which is a fault.
    """

    def apply(self, asked: Asked) -> Floats:
        """Return one-hot rows, float32 [n, K]."""
        rows, classes = asked.probabilities.shape
        marked = np.zeros((rows, max(classes, 2)), np.float32)
        marked[np.arange(rows), labels(asked.probabilities)] = 1
        return marked[:, -classes:]
