"""MMD window: a client's window of queries, as a distribution, against the population's.

The maximum mean discrepancy of a Gaussian kernel, by random Fourier features (Rahimi and Recht, NIPS 2007), between
embedded inputs. The paper's windows hold 1,500 queries, more than most thieves here ask; ours hold 100. Its encoder of
sentences is a random projection here. The threshold is one that ordinary windows exceed as rarely as in the paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from scipy.spatial.distance import pdist

from benchmarks.arena.data import Floats, Random
from benchmarks.arena.peers.embedding import embedding
from benchmarks.arena.peers.peer import Checks, Fitted, Numbers, Peer, sample, windows
from benchmarks.arena.stream import Stream, World

LENGTH: Final = 100  # queries in a window
FREQUENCIES: Final = 256
NULLS: Final = 2_000  # windows of ordinary queries
FALSE: Final = 0.003  # of them above the threshold
FEW: Final = 500  # inputs whose median distance is the kernel's width


def prepare(world: World, past: Sequence[Stream]) -> Fitted:
    """Return the test with the population's mean and the threshold of ordinary windows."""
    rng = world.random("peers", "mmd")
    matrix = embedding(world.data)
    rows = sample(world, past) @ matrix
    waves = frequencies(width(rows[:FEW]), rows.shape[1], rng)
    ordinary = features(rows, waves)
    mean = ordinary.mean(0)
    drawn = rng.integers(len(rows), size=(NULLS, LENGTH))
    nulls = [discrepancy(ordinary[window], mean) for window in drawn]
    threshold = float(np.quantile(nulls, 1 - FALSE))
    return Fitted({"MMD": threshold}, partial(_scores, Reference(matrix, waves, mean)))


PEER: Final = Peer("MMD", "Liu, Guo and Dong, 2026, arXiv 2606.05725", prepare)


@dataclass(frozen=True, slots=True)
class Reference:
    """The population: how inputs are embedded f4[D, 64], the waves f8[64, frequencies], and the mean feature."""

    matrix: Floats
    waves: Numbers
    mean: Numbers


def _scores(population: Reference, stream: Stream) -> Checks:
    """Return the squared discrepancy of each full window."""
    ends = windows(len(stream), LENGTH)
    found = features(stream.inputs @ population.matrix, population.waves)
    return Checks(ends, np.array([discrepancy(found[end - LENGTH : end], population.mean) for end in ends], np.float64))


def width(rows: Floats) -> float:
    """Return the median distance between rows, the usual width of a Gaussian kernel; 1 where all are alike."""
    return float(np.median(pdist(rows))) or 1.0


def frequencies(scale: float, size: int, rng: Random, count: int = FREQUENCIES) -> Numbers:
    """Return f8[size, count] random frequencies of the kernel exp(-|x - y|² / (2 scale²))."""
    return rng.standard_normal((size, count)) / scale


def features(rows: Floats, waves: Numbers) -> Numbers:
    """Return f8[n, 2 frequencies], whose inner products come near the kernel's values."""
    phase = rows @ waves
    return np.asarray(np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(waves.shape[1]), np.float64)


def discrepancy(window: Numbers, mean: Numbers) -> float:
    """Return the squared maximum mean discrepancy of a window's features f8[n, F] from a mean feature f8[F]."""
    return float(((window.mean(0) - mean) ** 2).sum())
