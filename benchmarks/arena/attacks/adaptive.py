"""Thieves who have read how the detector works, each with one trick. What a trick costs is in the report."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from benchmarks.arena.attacks.boundary import HALVINGS, halfway, search
from benchmarks.arena.attacks.copies import fitted
from benchmarks.arena.attacks.oracle import Loot, Oracle
from benchmarks.arena.attacks.synthetic import unit
from benchmarks.arena.data import Floats, Numbers, Random

Change: TypeAlias = Callable[[Floats], Floats]
"""From the signs of a gradient to a step."""
_SEEDS: Final = 100


def random_split(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Bisect at 35 to 65 % instead of half."""
    search(oracle, own, rng, lambda start, end: start + rng.uniform(0.35, 0.65) * (end - start))


def bent(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Bisect off the line: every middle is moved sideways by 15 % of the bracket."""
    search(oracle, own, rng, lambda start, end: (start + end) / 2 + 0.15 * _sideways(end - start, own, rng))


def decoyed(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Bisect, with two ordinary questions after every middle."""

    def decoys() -> None:
        oracle(own.seeds[rng.choice(len(own.seeds), 2)])

    search(oracle, own, rng, halfway, decoys)


def in_parallel(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Bisect 20 brackets in turn, so that a bracket's ends lie 20 queries back."""
    while True:
        rows = rng.choice(len(own.seeds), 60, replace=False)
        seeds, labels = own.seeds[rows], oracle.labels(own.seeds[rows])
        pairs = [(at, at + 1) for at in range(0, 60, 2) if labels[at] != labels[at + 1]][:20]
        if not pairs:
            continue
        start: Numbers = seeds[[one for one, _ in pairs]]
        end: Numbers = seeds[[two for _, two in pairs]]
        first = labels[[one for one, _ in pairs]]
        for _ in range(HALVINGS):
            middle = (start + end) / 2
            same = (oracle.labels(middle) == first)[:, None]
            start, end = np.where(same, middle, start), np.where(same, end, middle)


def foreign_lines(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Bisect between inputs from elsewhere."""
    search(oracle, Loot(own.foreign, *_rest(own)), rng, halfway)


def jittered_jbda(oracle: Oracle, own: Loot, rng: Random) -> None:
    """JbDA with a step of random size in every coordinate."""
    _grow(oracle, own, lambda sign: sign * rng.uniform(0.03, 0.17, sign.shape).astype(np.float32))


def sparse_jbda(oracle: Oracle, own: Loot, rng: Random) -> None:
    """JbDA that moves a fifth of the coordinates."""
    _grow(oracle, own, lambda sign: 0.1 * sign * (rng.random(sign.shape) < 0.2).astype(np.float32))  # noqa: PLR2004  # a fifth


def gaussian_seeds(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask seeds with Gaussian noise of 0.15 of the range."""
    while True:
        part = own.seeds[rng.choice(len(own.seeds), 8)]
        oracle((part + 0.15 * own.free * own.spread * rng.standard_normal(part.shape)).astype(np.float32))


def blended_pool(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Knockoff with every foreign input half blended with a seed."""
    while True:
        ours, theirs = (pool[rng.choice(len(pool), 8)] for pool in (own.seeds, own.foreign))
        oracle((ours + theirs) / 2)


def mixup(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask mixtures of two seeds: resampled inputs of the domain."""
    while True:
        one, two = (own.seeds[rng.choice(len(own.seeds), 8)] for _ in range(2))
        part = rng.uniform(0.3, 0.7, (8, 1)).astype(np.float32)
        oracle(part * one + (1 - part) * two)


def under_the_bar(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Bisect one step in eight queries, the rest ordinary: just under what a window of 16 notices."""

    def decoys() -> None:
        oracle(own.seeds[rng.choice(len(own.seeds), 7)])

    search(oracle, own, rng, halfway, decoys)


def _grow(oracle: Oracle, own: Loot, step: Change) -> None:
    seeds = own.seeds[:_SEEDS]
    known, labels = seeds, oracle.labels(seeds)
    while True:
        copy = fitted(known, labels)
        fresh = (known + unit(own) * step(copy.sign(known))).astype(np.float32)
        for begin in range(0, len(fresh), 16):
            answers = oracle.labels(fresh[begin : begin + 16])
            known = np.concatenate([known, fresh[begin : begin + 16]])
            labels = np.concatenate([labels, answers])


def _sideways(way: Numbers, own: Loot, rng: Random) -> Floats:
    """Return a random direction across `way`, as long as it."""
    random = own.free * rng.standard_normal(len(way)).astype(np.float32)
    across = random - way * (random @ way) / max(float(way @ way), 1e-12)
    return np.asarray(across * np.linalg.norm(way) / max(float(np.linalg.norm(across)), 1e-12), np.float32)


def _rest(own: Loot) -> tuple[Floats, tuple[int, ...], bool, Floats, Floats]:
    return own.foreign, own.shape, own.image, own.spread, own.free
