"""Embedding: inputs as 64 numbers, for peers whose papers train an encoder that we do not have.

A fixed random projection keeps Euclidean distances to about a tenth (Johnson and Lindenstrauss) and knows no model.
"""

from typing import Final

import numpy as np

from benchmarks.arena.data import Data, Floats

WIDTH: Final = 64


def embedding(data: Data) -> Floats:
    """Return the projection f4[D, 64] of inputs; every column counts by its range, as images' pixels do anyhow."""
    span = data.high - data.low
    gaussian = np.random.default_rng([len(span), WIDTH]).standard_normal((len(span), WIDTH)) / np.sqrt(WIDTH)
    return np.asarray(gaussian / np.where(span > 0, span, 1)[:, None], np.float32)
