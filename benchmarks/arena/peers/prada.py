"""PRADA: the distances of an honest client's queries to its earlier ones are distributed normally.

Exact, after the authors' code: a growing set for each answered class, Euclidean distance on raw inputs, a check at
every tenth query, outliers beyond three standard deviations left out, Shapiro-Wilk from 101 distances on.
Its cost grows with the square of the queries, so only a stream's first 2,000 are looked at: the longest attack's.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import shapiro

from benchmarks.arena.data import Floats, Labels
from benchmarks.arena.peers.peer import Checks, Counts, Fitted, Numbers, Peer
from benchmarks.arena.stream import Stream, World

LIMIT: Final = 2_000  # queries of a stream
EVERY: Final = 10  # queries; the authors' code checks at the first, the eleventh and so on
FEWEST: Final = 10  # distances of a class that counts
NEEDED: Final = 100  # distances, more than which a check needs
OUTLIER: Final = 3  # standard deviations


def prepare(_world: World, _past: Sequence[Stream]) -> Fitted:
    """Return PRADA with the paper's deltas; it learns nothing from the past."""
    return Fitted({"PRADA .95": -0.95, "PRADA .90": -0.90}, scores)


PEER: Final = Peer("PRADA", "Juuti et al., EuroS&P 2019, arXiv 1805.02628", prepare)


def scores(stream: Stream) -> Checks:
    """Return the negated Shapiro-Wilk statistic at each check of a stream's first queries."""
    return checks(stream.inputs[:LIMIT], stream.label[:LIMIT])


def checks(inputs: Floats, label: Labels) -> Checks:
    """Return the negated Shapiro-Wilk statistic at each check of queries, f4[n, ...] with their answers i8[n]."""
    distance = distances(inputs, label)
    rank = _ranks(label)
    found = [(end, _normality(_pooled(distance[:end], label[:end], rank[:end]))) for end in _ends(len(label))]
    kept = [(end, normality) for end, normality in found if normality is not None]
    return Checks(
        np.array([end for end, _ in kept], np.int64), -np.array([normality for _, normality in kept], np.float64)
    )


def _ends(count: int) -> range:
    return range(1, count + 1, EVERY)


def distances(inputs: Floats, label: Labels) -> Numbers:
    """Return f8[n], each query's distance to the nearest in its class's growing set; NaN for a class's first query."""
    found = np.full(len(label), np.nan)
    for one in np.unique(label):
        places = np.flatnonzero(label == one)
        found[places[1:]] = _nearest(inputs[places].astype(np.float64))
    return found


def _nearest(rows: Numbers) -> Numbers:
    """Return f8[n - 1]: the distances of a class's queries to the set that grows by those farther than a threshold."""
    grown = rows[:1].repeat(len(rows), axis=0)
    size, kept, threshold = 1, [0.0], 0.0
    found = np.empty(len(rows) - 1)
    for at, row in enumerate(rows[1:]):
        found[at] = cdist(row[None], grown[:size]).min()
        if found[at] > threshold:
            grown[size] = row
            size += 1
            kept.append(found[at])
            threshold = max(threshold, float(np.mean(kept) - np.std(kept)))
    return found


def _ranks(label: Labels) -> Counts:
    """Return i8[n], how many earlier queries had the same answer: how many distances its class then has."""
    rank = np.zeros(len(label), np.int64)
    for one in np.unique(label):
        places = np.flatnonzero(label == one)
        rank[places] = np.arange(len(places))
    return rank


def _pooled(distance: Numbers, label: Labels, rank: Counts) -> Numbers:
    """Return the distances of all classes that have enough of them, without outliers."""
    pooled = distance[np.isin(label, label[rank == FEWEST]) & (rank > 0)]
    return pooled[np.abs(pooled - pooled.mean()) < OUTLIER * pooled.std()] if len(pooled) else pooled


def _normality(pooled: Numbers) -> float | None:
    if len(pooled) <= NEEDED:
        return None
    if np.ptp(pooled) == 0:
        return 1.0  # what scipy returns, with a warning
    return float(shapiro(pooled).statistic)
