"""Honest kinds that only choose among ordinary inputs, of images and tables alike."""

import numpy as np

from benchmarks.arena.data import Floats, Random
from benchmarks.arena.honest.source import Source

_CASCADE = (0.08, 0.25)  # share of the traffic, the least certain, that reaches the second stage


def iid(source: Source, rng: Random, count: int) -> Floats:
    """Ask for inputs as they come."""
    return source.inputs[source.draw(rng, count)]


def dirichlet_01(source: Source, rng: Random, count: int) -> Floats:
    """Ask for nearly one class."""
    return _skewed(source, rng, count, 0.1)


def dirichlet_03(source: Source, rng: Random, count: int) -> Floats:
    """Ask for few classes mostly."""
    return _skewed(source, rng, count, 0.3)


def dirichlet_1(source: Source, rng: Random, count: int) -> Floats:
    """Ask for some classes more often than for others."""
    return _skewed(source, rng, count, 1.0)


def narrow(source: Source, rng: Random, count: int) -> Floats:
    """Ask for one to three classes only; in a table with two classes for one."""
    classes = np.unique(source.label)
    chosen = rng.choice(classes, min(int(rng.integers(1, 4)), len(classes) - 1), replace=False)
    return source.inputs[source.draw(rng, count, np.isin(source.label, chosen).astype(np.float64))]


def retry(source: Source, rng: Random, count: int) -> Floats:
    """Send 10 to 40 % of the inputs again, byte for byte, some several times."""
    times = 1 + rng.binomial(3, rng.uniform(0.05, 0.2), count)
    return source.inputs[np.repeat(source.draw(rng, count), times)[:count]]


def canary(source: Source, rng: Random, count: int) -> Floats:
    """Mix a fifth of health checks, five fixed inputs, into ordinary use."""
    rows, fixed = source.draw(rng, count), source.draw(rng, 5)
    checks = rng.random(count) < rng.uniform(0.1, 0.3)
    rows[checks] = rng.choice(fixed, int(checks.sum()))
    return source.inputs[rows]


def archive(source: Source, rng: Random, count: int) -> Floats:
    """Score an archive that is sorted by class, and by brightness or a column within it."""
    rows = source.draw(rng, count)
    by = source.inputs[rows] @ rng.standard_normal(source.inputs.shape[1])
    return source.inputs[rows[np.lexsort((by, source.label[rows]))]]


def cascade(source: Source, rng: Random, count: int) -> Floats:
    """Be the second stage: only what a first model was unsure of arrives (its doubts resemble the victim's)."""
    doubt = source.margin + rng.normal(0, 0.05, len(source.margin))
    unsure = doubt <= np.quantile(doubt, rng.uniform(*_CASCADE))
    return source.inputs[source.draw(rng, count, unsure.astype(np.float64))]


def replay(source: Source, rng: Random, count: int) -> Floats:
    """Replay another client's traffic against this model, as an A/B test does, now and then the same part again."""
    other = source.inputs[source.draw(rng, max(count // 2, 1))]
    return np.concatenate([other, other[: count - len(other)]])


def _skewed(source: Source, rng: Random, count: int, concentration: float) -> Floats:
    classes, place = np.unique(source.label, return_inverse=True)
    share = rng.dirichlet(np.full(len(classes), concentration)) + 1e-9
    return source.inputs[source.draw(rng, count, (share / np.bincount(place))[place])]
