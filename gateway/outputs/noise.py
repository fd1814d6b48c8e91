"""Noise that is the same for the same answer: nobody averages it out, by asking again or from many accounts.

The noise is a random field over the model's answers, drawn once for each (model, secret): a Gaussian process with the
kernel exp(-d² / 2 REACH²), where d is the Euclidean distance of the answers' square roots (d² / 2 is the squared
Hellinger distance; it lies in 0..1). So a *neighbourhood* is all the inputs whose true answers lie within about REACH,
wherever and however large those inputs are; it has no border, and noise changes as smoothly as the answer does. Inputs
with one answer get one noise. Who wants an independent draw must move the true answer by about 2 REACH, and then has
the noise of another answer.

Noise keyed on the input (exact, or the signs of random projections) was tried: moving the input where the model does
not look gives the same answer with fresh noise, and averaging ten such answers leaves a third of it. Cells of the
answer have borders, near which a small move of the input does the same.

Source: Rahimi, Recht 2007, "Random features for large-scale kernel machines" (cosines of random directions).
"""

import functools
import hashlib
from typing import NamedTuple

import numpy as np

from gateway.outputs.rows import Asked, Doubles, pairs

REACH = 0.3
WAVES = 64  # the more, the nearer to Gaussian
FIELDS_MAX = 64  # models x secrets kept ready


class Field(NamedTuple):
    """The waves of one field over K classes."""

    directions: Doubles  # [WAVES, K]
    phases: Doubles  # [WAVES], radians
    weights: Doubles  # [K, WAVES]


def field(asked: Asked) -> Doubles:
    """Return noise float64 [n, max(K, 2)], about standard normal over secrets. Each row from its own answer alone."""
    rows = np.sqrt(pairs(asked.probabilities))
    drawn = _drawn(asked.model, asked.secret, rows.shape[1])
    waves = np.cos(np.matvec(drawn.directions, rows) + drawn.phases)  # matvec: a row's bits do not depend on the others
    noise: Doubles = np.matvec(drawn.weights, waves)
    return noise


@functools.lru_cache(FIELDS_MAX)
def _drawn(model: str, secret: bytes, classes: int) -> Field:
    """Draw a field; BLAKE2b keyed with the secret takes the model's name to the seed."""
    key = hashlib.blake2b(secret).digest()  # a key has at most 64 bytes
    seed = hashlib.blake2b(model.encode(), key=key, person=b"gamekeeper noise").digest()
    rng = np.random.default_rng(int.from_bytes(seed, "little"))
    return Field(
        directions=rng.standard_normal((WAVES, classes)) / REACH,
        phases=rng.uniform(0, 2 * np.pi, WAVES),
        weights=rng.standard_normal((classes, WAVES)) * np.sqrt(2 / WAVES),
    )
