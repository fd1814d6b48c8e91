"""Fewer digits."""

from typing import Annotated

import msgspec

from gateway.outputs.rows import Asked, Step
from gateway.tensors import Floats


class Rounded(Step, frozen=True):
    """Probabilities rounded to `decimals` digits, as ART's Rounded has it: such a row need not sum to 1."""

    decimals: Annotated[int, msgspec.Meta(ge=1, le=6)] = 3  # float32 holds no more

    def apply(self, asked: Asked) -> Floats:
        """Return float32 [n, K]."""
        return asked.probabilities.round(self.decimals)
