"""Attacks that need no data: noise of two kinds, and a generator trained through the answers."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from benchmarks.arena.attacks.copies import fitted
from benchmarks.arena.attacks.oracle import Loot, Oracle
from benchmarks.arena.data import Floats, Numbers, Random

_PER_REQUEST: Final = 16
_LATENT: Final = 24
_WIDE: Final = 64  # of a table generator's hidden layer
_ROUNDS: Final = 4  # of the generator to one of the copy, which is the slow part
_CANDIDATES: Final = 6  # generators compared in a round
_TRIED: Final = 4  # latent points that they are compared on


def uniform(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask about uniform noise over each number's range (Tramer et al. 2016)."""
    while True:
        oracle(rng.random((_PER_REQUEST, own.seeds.shape[1]), np.float32))


def gaussian(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask about Gaussian noise around the mean of a few seeds."""
    mean, sd = own.seeds[:50].mean(0), own.seeds[:50].std(0)
    while True:
        oracle((mean + sd * rng.standard_normal((_PER_REQUEST, len(mean)))).astype(np.float32))


def data_free(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Train a generator to make what victim and copy disagree on (after DFME, Truong et al. 2021)."""
    generator = _Generator(own, _first_weights(own, rng))
    known = generator.make(rng.standard_normal((32, _LATENT)))
    labels = oracle.labels(known)
    while True:
        copy = fitted(known[-512:], labels[-512:])
        for _ in range(_ROUNDS):
            candidates = [generator.changed(rng) for _ in range(_CANDIDATES)]
            tried = rng.standard_normal((_TRIED, _LATENT))
            doubts = [float(copy.doubt(candidate.make(tried)).mean()) for candidate in candidates]
            generator = candidates[int(np.argmax(doubts))]
            made = generator.make(rng.standard_normal((_PER_REQUEST, _LATENT)))
            answers = oracle.labels(made)
            known, labels = np.concatenate([known, made]), np.concatenate([labels, answers])


@dataclass(frozen=True, slots=True)
class _Generator:
    """From latent numbers to inputs: a coarse random image, enlarged and bent once; for tables a small net."""

    own: Loot
    weights: tuple[Numbers, Numbers]

    def make(self, latent: Numbers) -> Floats:
        """Return inputs f4[n, D] of latent numbers f8[n, 24]."""
        coarse = np.tanh(latent @ self.weights[0] / np.sqrt(_LATENT) * 1.5)
        if not self.own.image:
            return _squashed(coarse @ self.weights[1] / 8)
        side, channels = _sizes(self.own)
        images = coarse.reshape(len(latent), side, side, channels)
        height, width = self.own.shape[:2]
        large = np.einsum("hi,nijc,wj->nhwc", _enlarging(side, height), images, _enlarging(side, width), optimize=True)
        kernel = self.weights[1].reshape(1, 3, 3, channels)[..., :1]
        detail = ndimage.convolve(np.maximum(large, 0), kernel / 3, mode="nearest")
        return _squashed((large + detail).reshape(len(latent), -1))

    def changed(self, rng: Random) -> "_Generator":
        """Return a generator with slightly other weights."""
        one, two = (weight + 0.3 * rng.standard_normal(weight.shape) for weight in self.weights)
        return _Generator(self.own, (one, two))


def _first_weights(own: Loot, rng: Random) -> tuple[Numbers, Numbers]:
    if not own.image:
        return rng.standard_normal((_LATENT, _WIDE)), rng.standard_normal((_WIDE, own.seeds.shape[1]))
    side, channels = _sizes(own)
    return rng.standard_normal((_LATENT, side * side * channels)), rng.standard_normal(channels * 9)


def _sizes(own: Loot) -> tuple[int, int]:
    """Return side and channels of a coarse image."""
    return max(4, own.shape[0] // 4), own.shape[2] if len(own.shape) > 2 else 1  # noqa: PLR2004  # a third axis holds colours


def _enlarging(small: int, large: int) -> Numbers:
    """Return the matrix f8[large, small] of linear interpolation, ends to ends."""
    place = np.linspace(0, small - 1, large)
    return np.asarray(np.maximum(0, 1 - np.abs(place[:, None] - np.arange(small))))


def _squashed(values: Numbers) -> Floats:
    return np.asarray(1 / (1 + np.exp(-3 * values)), np.float32)
