"""Builders for the tests of output steps: each step once or more, and rows of probabilities."""

from typing import Final

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gateway.outputs import (
    Asked,
    ClassLabels,
    GaussianNoise,
    HighConfidence,
    MaximisingAngularDeviation,
    Output,
    ReverseSigmoid,
    Rounded,
    Temperature,
    TopK,
)

Floats = npt.NDArray[np.float32]
STEPS: Final[tuple[Output, ...]] = (
    ClassLabels(),
    GaussianNoise(),
    GaussianNoise(scale=0.01),
    HighConfidence(),
    HighConfidence(cutoff=0.9),
    MaximisingAngularDeviation(),
    MaximisingAngularDeviation(epsilon=0.1),
    MaximisingAngularDeviation(epsilon=2),
    ReverseSigmoid(),
    ReverseSigmoid(beta=3, gamma=2),
    Rounded(),
    Rounded(decimals=1),
    Temperature(temperature=0.01),
    Temperature(temperature=4),
    TopK(k=1),
    TopK(k=3),
    TopK(k=2, rest="spread"),
)
CHAINS = st.lists(st.sampled_from(STEPS), min_size=1, max_size=4)
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 12))
ANY_ROWS = npst.arrays(np.float32, SHAPES, elements=st.floats(0, 1, width=32))


def distribution(rows: Floats) -> Floats:
    """Return rows that sum to 1, and binary scores as they are."""
    if rows.shape[1] == 1:
        return rows
    rows = rows + np.where(rows.sum(axis=1, keepdims=True) > 0, np.float32(0), np.float32(1))
    summed: Floats = (rows / rows.sum(axis=1, keepdims=True, dtype=np.float64)).astype(np.float32)
    return summed


DISTRIBUTIONS = ANY_ROWS.map(distribution)


def asked(probabilities: Floats, secret: bytes = b"secret", model: str = "digits") -> Asked:
    """Return what a step is given."""
    return Asked(model, probabilities, secret)


def dirichlet(rows: int, classes: int, seed: int = 0) -> Floats:
    """Return rows as models answer: sure ones and unsure ones. One class: binary scores."""
    drawn = np.random.default_rng(seed).dirichlet(np.full(max(classes, 2), 0.3), rows)
    return drawn[:, -classes:].astype(np.float32)
