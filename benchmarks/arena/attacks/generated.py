"""Attacks that need no data: noise of two kinds, and a generator trained through the answers."""

from typing import Final

import numpy as np
from scipy import ndimage

from benchmarks.arena.attacks.copies import fitted
from benchmarks.arena.attacks.oracle import Loot, Oracle
from benchmarks.arena.data import Floats, Random

_PER_REQUEST: Final = 16
_LATENT: Final = 24


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
    generator = _Generator(own, rng)
    latent = rng.standard_normal((32, _LATENT))
    known = generator.make(latent)
    labels = oracle.labels(known)
    while True:
        copy = fitted(known[-512:], labels[-512:])
        candidates = [generator.changed(rng) for _ in range(6)]
        latent = rng.standard_normal((_PER_REQUEST, _LATENT))
        generator = max(candidates, key=lambda one: float(copy.doubt(one.make(latent)).mean()))
        made = generator.make(latent)
        answers = oracle.labels(made)
        known, labels = np.concatenate([known, made]), np.concatenate([labels, answers])


class _Generator:
    """From latent numbers to inputs: a coarse random image, enlarged twice with a bend in between; tables: a net."""

    def __init__(self, own: Loot, rng: Random, weights: tuple[Floats, Floats] | None = None) -> None:
        self.own = own
        side = max(4, own.shape[0] // 4) if own.image else 0
        self.side = side
        channels = own.shape[2] if len(own.shape) > 2 else 1  # noqa: PLR2004  # a third axis holds colours
        self.channels = channels
        wide = side * side * channels if own.image else 64
        last = channels * 9 if own.image else own.seeds.shape[1]
        self.weights = weights or (
            rng.standard_normal((_LATENT, wide)).astype(np.float32),
            rng.standard_normal((wide if not own.image else 1, last)).astype(np.float32),
        )

    def make(self, latent: Floats) -> Floats:
        """Return inputs f4[n, D] of latent numbers f8[n, 24]."""
        coarse = np.tanh(latent @ self.weights[0] / np.sqrt(_LATENT) * 1.5)
        if not self.own.image:
            return (1 / (1 + np.exp(-coarse @ self.weights[1] / 8 * 3))).astype(np.float32)
        images = coarse.reshape(len(latent), self.side, self.side, self.channels)
        height, width = self.own.shape[:2]
        large = ndimage.zoom(images, (1, height / self.side, width / self.side, 1), order=1)
        kernel = self.weights[1].reshape(1, 3, 3, self.channels)[..., :1]
        detail = ndimage.convolve(np.maximum(large, 0), kernel / 3, mode="nearest")
        return (1 / (1 + np.exp(-3 * (large + detail)))).reshape(len(latent), -1).astype(np.float32)

    def changed(self, rng: Random) -> "_Generator":
        """Return a generator with slightly other weights."""
        moved = tuple(w + 0.3 * rng.standard_normal(w.shape).astype(np.float32) for w in self.weights)
        return _Generator(self.own, rng, (moved[0], moved[1]))
