"""Only what the model is sure of."""

from typing import Annotated

import msgspec
import numpy as np

from gateway.outputs.rows import Asked, Step
from gateway.tensors import Floats


class HighConfidence(Step, frozen=True):
    """Probabilities below `cutoff` become 0, as ART's HighConfidence has it: such a row does not sum to 1."""

    cutoff: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.25

    def apply(self, asked: Asked) -> Floats:
        """Return float32 [n, K]."""
        return np.where(asked.probabilities < self.cutoff, np.float32(0), asked.probabilities)
