"""Attacks that look for the decision boundary: line search, HopSkipJump, Boundary, finite differences."""

import contextlib
import importlib
import warnings
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np

from benchmarks.arena.attacks.oracle import Loot, Oracle
from benchmarks.arena.data import Floats, Labels, Numbers, Random

Middle: TypeAlias = Callable[[Floats, Floats], Numbers]
"""Where to ask between the two ends of a bracket."""
HALVINGS: Final = 9
_STEP: Final = 0.02  # of a number's range, for a finite difference


def bisection(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Halve the line between two seeds with different answers (Lowd and Meek 2005; Tramer et al. 2016)."""
    search(oracle, own, rng, halfway)


def search(oracle: Oracle, own: Loot, rng: Random, middle_of: Middle, after: Callable[[], None] | None = None) -> None:
    """Narrow brackets between two seeds with different answers, one bracket after another."""
    while True:
        start, end = own.seeds[rng.choice(len(own.seeds), 2, replace=False)]
        labels = oracle.labels(np.stack([start, end]))
        for _ in range(HALVINGS if labels[0] != labels[1] else 0):
            middle = np.asarray(middle_of(start, end), np.float32)
            same = oracle.labels(middle[None])[0] == labels[0]
            start, end = (middle, end) if same else (start, middle)
            if after is not None:
                after()


def halfway(start: Floats, end: Floats) -> Numbers:
    """Return the middle of a bracket."""
    return (start + end) / 2


def hop_skip_jump(oracle: Oracle, own: Loot, rng: Random) -> None:
    """HopSkipJump of ART, from a seed towards another with a different answer (Chen et al. 2020)."""
    attack = _art("attacks.evasion").HopSkipJump(
        _classifier(oracle, own), max_iter=20, max_eval=40, init_eval=20, init_size=20, verbose=False
    )
    _from_seeds(attack, oracle, own, rng)


def boundary(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Boundary attack of ART (Brendel et al. 2018)."""
    attack = _art("attacks.evasion").BoundaryAttack(
        _classifier(oracle, own),
        targeted=False,
        max_iter=200,
        num_trial=10,
        sample_size=10,
        init_size=20,
        verbose=False,
    )
    _from_seeds(attack, oracle, own, rng)


def finite_differences(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Change one number of a seed at a time to see how the answer moves (ZOO, Chen et al. 2017)."""
    free = np.flatnonzero(own.free)
    while True:
        seed = own.seeds[int(rng.integers(len(own.seeds)))]
        oracle(seed[None])
        for column in rng.permutation(free)[:64]:
            step = np.zeros_like(seed)
            step[column] = _STEP if seed[column] < 0.5 else -_STEP  # noqa: PLR2004  # inwards
            oracle((seed + step)[None])


def equation_solving(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask random inputs of valid form, whole where only whole numbers occur, and solve (Tramer et al. 2016)."""
    data = oracle.world.data
    span = np.maximum(data.high - data.low, np.float32(1e-9))
    while True:
        points = rng.random((16, own.seeds.shape[1])).astype(np.float32)
        steps = np.where(data.whole, span, np.float32(255))  # images: 8 bits
        valid = np.round(points * steps) / steps
        oracle(np.where(data.whole | own.image, valid, points).astype(np.float32))


def _pair(oracle: Oracle, own: Loot, rng: Random) -> tuple[Floats, Floats, int]:
    while True:
        one, two = own.seeds[rng.choice(len(own.seeds), 2, replace=False)]
        labels: Labels = oracle.labels(np.stack([one, two]))
        if labels[0] != labels[1]:
            return one, two, int(labels[0])


def _classifier(oracle: Oracle, own: Loot) -> Any:
    def answer(inputs: Any) -> Floats:
        rows = np.asarray(inputs, np.float32).reshape(len(inputs), -1)
        labels = oracle.labels(rows)
        return np.eye(oracle.world.data.classes, dtype=np.float32)[labels]

    low, high = (0.0, 1.0) if own.image else (own.seeds.min(0), own.seeds.max(0))
    return _art("estimators.classification").BlackBoxClassifier(
        answer, _side(own), oracle.world.data.classes, clip_values=(low, high)
    )


def _art(module: str) -> Any:
    """Return a module of ART, which is slow to load and warns of every framework that it does not find."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"art.{module}")


def _from_seeds(attack: Any, oracle: Oracle, own: Loot, rng: Random) -> None:
    while True:
        one, two, _ = _pair(oracle, own, rng)
        with warnings.catch_warnings(), contextlib.suppress(ValueError):  # ART raises it where it finds no way on
            warnings.simplefilter("ignore")
            np.random.seed(int(rng.integers(1 << 31)))  # noqa: NPY002  # ART draws from the global generator
            attack.generate(one.reshape(1, *_side(own)), x_adv_init=two.reshape(1, *_side(own)))


def _side(own: Loot) -> tuple[int, ...]:
    return (*own.shape, 1) if own.image and len(own.shape) == 2 else own.shape  # noqa: PLR2004  # grey images
