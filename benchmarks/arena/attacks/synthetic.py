"""Attacks that grow synthetic data from seeds with a substitute's gradient: JbDA, T-RND, COLOR."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from benchmarks.arena.attacks.copies import Copy, fitted
from benchmarks.arena.attacks.oracle import Loot, Oracle
from benchmarks.arena.data import Floats, Numbers, Random

Step: TypeAlias = Callable[[Copy, Floats], Numbers]
"""From a substitute and known inputs to new ones."""
_SEEDS: Final = 100
_JBDA: Final = 0.1  # lambda, of the range; tables: of three standard deviations
_TRND_STEPS: Final = 5
_TRND: Final = 0.25 / _TRND_STEPS  # a step: 64/255 in five, as in PRADA
_TABLE_UNIT: Final = 3.0


def jbda(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Step from every known input along the sign of the substitute's Jacobian (Papernot et al. 2017)."""
    _grow(oracle, own, rng, lambda copy, inputs: inputs + _JBDA * unit(own) * copy.sign(inputs))


def t_rnd(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Take five small steps towards a random class (Juuti et al. 2019)."""

    def towards(copy: Copy, inputs: Floats) -> Floats:
        target = rng.integers(0, copy.classes, len(inputs))
        for _ in range(_TRND_STEPS):
            inputs = inputs + _TRND * unit(own) * copy.sign(inputs, target)
            inputs = np.clip(inputs, 0, 1) if own.image else inputs
        return inputs

    _grow(oracle, own, rng, towards)


def color(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Shift the brightness of each colour channel by a random sign (Juuti et al. 2019); tables: of each column."""
    channels = own.shape[2] if len(own.shape) > 2 else 1  # noqa: PLR2004  # a third axis holds colours

    def shifted(_: Copy, inputs: Floats) -> Floats:
        signs = rng.choice([-1, 1], (len(inputs), channels if own.image else inputs.shape[1]))
        steps = np.tile(signs, inputs.shape[1] // channels) if own.image else signs
        return np.asarray(inputs + 0.25 * unit(own) * steps, np.float32)

    _grow(oracle, own, rng, shifted)


def _grow(oracle: Oracle, own: Loot, rng: Random, step: Step) -> None:
    seeds = own.seeds[:_SEEDS]
    known, labels = seeds, oracle.labels(seeds)
    while True:
        copy = fitted(known, labels, int(rng.integers(1 << 31)))
        fresh = np.asarray(step(copy, known), np.float32)
        order = rng.permutation(len(fresh))
        for begin in range(0, len(order), 16):
            part = fresh[order[begin : begin + 16]]
            answers = oracle.labels(part)
            known, labels = np.concatenate([known, part]), np.concatenate([labels, answers])


def unit(own: Loot) -> Floats:
    """Return f4[D] what a step of 1 is: the range of a pixel, some standard deviations of a column that may move."""
    return own.free * own.spread * np.float32(1 if own.image else _TABLE_UNIT)
