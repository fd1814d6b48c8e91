"""Noise on every probability."""

from typing import Annotated, ClassVar

import msgspec
import numpy as np

from gateway.outputs.noise import field
from gateway.outputs.rows import Asked, Doubles, Step, kept_sum
from gateway.tensors import Floats


class GaussianNoise(Step, frozen=True):
    """Normal noise of standard deviation `scale`, clipped at 0 and scaled to the row's sum, as ART's has it.

    A binary score is clipped to 0..1. `deterministic` noise is the same for the same answer (`gateway.outputs.noise`);
    without it each query draws anew, and who asks ten times has a third of the noise: only to be compared with.
    """

    keyed: ClassVar[bool] = True
    scale: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.2
    deterministic: bool = True

    def apply(self, asked: Asked) -> Floats:
        """Return float32 [n, K]."""
        shape = asked.probabilities.shape
        drawn = field(asked) if self.deterministic else np.random.default_rng().standard_normal(shape)
        return noisy(asked.probabilities, self.scale * drawn[:, -shape[1] :])


def noisy(probabilities: Floats, noise: Doubles) -> Floats:
    """Return float32 [n, K] with `noise` [n, K] added; rows keep their sum, a binary score its range."""
    moved = (probabilities + noise).clip(0)
    if probabilities.shape[1] == 1:
        return moved.clip(0, 1).astype(np.float32)
    return kept_sum(moved, probabilities.astype(np.float64)).astype(np.float32)
