"""Source: the inputs that honest clients have, and small tools that several kinds use."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.arena.data import Data, Floats, Labels, Numbers, Pool, Random

Rows: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Source:
    """A pool with what the model says of it."""

    data: Data
    inputs: Floats  # [n, D]
    label: Labels  # [n] true classes
    margin: Floats  # [n] of the model's answers

    @classmethod
    def of(cls, data: Data, pool: Pool, probabilities: Floats) -> "Source":
        """Return the source for a pool and the model's answers f4[n, K] to it."""
        ranked = np.sort(probabilities, axis=1)
        return cls(data, pool.inputs, pool.label, (ranked[:, -1] - ranked[:, -2]).astype(np.float32))

    def draw(self, rng: Random, count: int, weight: npt.NDArray[np.float64] | None = None) -> Rows:
        """Return random rows: each once before any comes again, or by weight with replacement."""
        if weight is not None:
            return rng.choice(len(self.inputs), count, p=weight / weight.sum()).astype(np.intp)
        turns = -(-count // len(self.inputs))
        return np.concatenate([rng.permutation(len(self.inputs)) for _ in range(turns)])[:count]

    def images(self, rows: Rows) -> Floats:
        """Return rows as images f4[n, H, W, C], a copy."""
        height, width = self.data.shape[:2]
        return np.asarray(self.inputs[rows]).reshape(len(rows), height, width, -1)


def flat(images: Numbers) -> Floats:
    """Return images as rows f4[n, D] within 0..1."""
    return np.clip(images, 0, 1).reshape(len(images), -1).astype(np.float32)


def scenes(rng: Random, count: int, low: int, high: int) -> list[int]:
    """Return lengths from low to high that reach `count` together."""
    lengths: list[int] = []
    while sum(lengths) < count:
        lengths.append(int(rng.integers(low, high + 1)))
    return lengths
