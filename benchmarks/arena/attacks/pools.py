"""Attacks that ask about inputs from elsewhere, or about own inputs of the model's domain."""

from typing import Final

import numpy as np
from sklearn.cluster import KMeans

from benchmarks.arena.attacks.copies import fitted
from benchmarks.arena.attacks.oracle import Loot, Oracle
from benchmarks.arena.data import Floats, Random

_PER_REQUEST: Final = 16
_GROUPS: Final = 20  # clusters of the pool that the adaptive thief chooses among
_ROUND: Final = 64
_CANDIDATES: Final = 1_000


def knockoff(oracle: Oracle, own: Loot, _: Random) -> None:
    """Ask about a pool of other images at random (Knockoff Nets, Orekondy et al. 2019)."""
    while True:
        for begin in range(0, len(own.foreign), _PER_REQUEST):
            oracle(own.foreign[begin : begin + _PER_REQUEST])


def knockoff_adaptive(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Prefer the groups of the pool whose answers are sure and new (Knockoff Nets, adaptive: a gradient bandit)."""
    pool = own.foreign[:2_000]
    group = KMeans(_GROUPS, n_init=1, max_iter=20, random_state=0).fit_predict(pool)
    liking, usual = np.zeros(_GROUPS), 0.0
    while True:
        share = np.exp(liking - liking.max())
        chosen = int(rng.choice(_GROUPS, p=share / share.sum()))
        answers = oracle(pool[rng.choice(np.flatnonzero(group == chosen), 4)])
        ranked = np.sort(answers, axis=1)
        reward = float(np.mean(ranked[:, -1] - ranked[:, -2]))
        liking[chosen] += 2 * (reward - usual)
        usual += 0.1 * (reward - usual)


def copycat(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask about a pool, each image also mirrored and moved (Copycat CNN, Correia-Silva et al. 2018)."""
    while True:
        part = own.foreign[rng.choice(len(own.foreign), _PER_REQUEST)]
        oracle(_mirrored(part, own, rng) if own.image else part)


def active_thief(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask about the part of a pool of which a copy is least sure (ActiveThief, Pal et al. 2020)."""
    _actively(oracle, own.foreign, rng)


def domain_active(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask about own inputs of the model's domain, the least sure first: hard to tell from honest use."""
    _actively(oracle, own.seeds, rng)


def domain_random(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask about own inputs of the model's domain at random: control, cannot be told from honest use."""
    while True:
        for begin in range(0, len(own.seeds), _PER_REQUEST):
            oracle(own.seeds[begin : begin + _PER_REQUEST])
        rng.shuffle(own.seeds)


def _actively(oracle: Oracle, pool: Floats, rng: Random) -> None:
    rows = rng.permutation(len(pool))[:_ROUND]
    known, labels = pool[rows], oracle.labels(pool[rows])
    while True:
        copy = fitted(known, labels)
        candidates = pool[rng.permutation(len(pool))[:_CANDIDATES]]
        unsure = candidates[np.argsort(-copy.doubt(candidates), kind="stable")[:_ROUND]]
        answers = oracle.labels(unsure)
        known, labels = np.concatenate([known, unsure]), np.concatenate([labels, answers])


def _mirrored(part: Floats, own: Loot, rng: Random) -> Floats:
    images = part.reshape(len(part), *own.shape[:2], -1)
    flipped = images[:, :, ::-1] if rng.random() < 0.5 else images  # noqa: PLR2004  # one in two
    return np.roll(flipped, tuple(rng.integers(-2, 3, 2)), axis=(1, 2)).reshape(len(part), -1)
