"""Kinds: clients of an unlabelled population, told apart by what they send and what they are answered."""

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from detector.learning.past import seed

KINDS: Final = 8  # clusters of clients, for a population whose kinds nobody has named
LABELS_MAX: Final = 64  # most frequent labels in a client's profile
APART: Final = 2.0  # a cluster is a kind of its own when the next is farther off than twice its radius
CROWD: Final = 0.08  # poisoned clients (5 % at most, with room) have fewer close neighbours than this share
CORE: Final = 0.85  # share of the clients, the least unusual, on which the first pass rests
ITERATIONS: Final = 30
POINTS_MAX: Final = 20_000  # rows that place the clusters

Matrix = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Clusters of clients. `of` i[clients] the cluster of each client; `separate` how many are kinds of their own."""

    of: Index
    count: int
    separate: int


def profiles(ux: npt.NDArray[np.float32], label: npt.NDArray[np.int64], client: Index, clients: int) -> Matrix:
    """Return what a client is like: mean and sd of each column of ux (standardised), and its labels' shares.

    `ux` f4[n, P] may have no columns (no input); `client` i[n] counts from 0 to `clients` - 1.
    """
    counts = np.maximum(np.bincount(client, minlength=clients), 1)[:, None]
    spread = ux.std(0, dtype=np.float64)
    scaled = ux / np.where(spread > 0, spread, 1)
    mean = _sums(scaled, client, clients) / counts
    deviation = np.sqrt(np.maximum(_sums(scaled**2, client, clients) / counts - mean**2, 0))
    values, frequency = np.unique(label, return_counts=True)
    usual = values[np.argsort(-frequency, kind="stable")[:LABELS_MAX]]
    shares = _sums((label[:, None] == usual).astype(np.float64), client, clients) / counts
    return np.hstack([mean, deviation, shares])


def cluster(profile: Matrix, model: str) -> Kinds:
    """Divide clients f8[clients, F] into up to KINDS clusters."""
    centres, of = centres_of(profile, KINDS, seed("kinds", model))
    return Kinds(of, len(centres), _separate(profile, centres, of))


def core(profile: Matrix) -> npt.NDArray[np.bool_]:
    """Choose the clients with many others like them.

    The distance to the k-th most similar client, k = 8 % of all, is small only for clients in larger company
    than poisoned ones (5 % at most) can keep among themselves.
    """
    clients = len(profile)
    k = min(max(int(np.ceil(CROWD * clients)), 1), clients - 1)
    company = np.partition(cdist(profile, profile), k, axis=1)[:, k]
    usual: npt.NDArray[np.bool_] = company <= np.quantile(company, CORE)
    return usual


def centres_of(points: npt.NDArray[Any], count: int, state: int) -> tuple[Matrix, Index]:
    """Return k-means centres f8[m, F] and each point's nearest, m <= count: fewer where points are few or equal."""
    looked = points[:: max(1, -(-len(points) // POINTS_MAX))]
    count = min(count, len(np.unique(np.asarray(looked, np.float32), axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters: handled above
        model = KMeans(count, n_init=1, max_iter=ITERATIONS, random_state=state).fit(looked)
    return model.cluster_centers_.astype(np.float64), model.predict(points).astype(np.intp)


def _sums(values: npt.NDArray[Any], client: Index, clients: int) -> Matrix:
    out = np.zeros((clients, values.shape[1]))
    np.add.at(out, client, values)
    return out


def _separate(profile: Matrix, centres: Matrix, of: Index) -> int:
    if len(centres) < 2:  # noqa: PLR2004  # one cluster has no neighbour
        return len(centres)
    apart = cdist(centres, centres)
    np.fill_diagonal(apart, np.inf)
    offs = np.square(profile - centres[of]).sum(1)
    members = np.bincount(of, minlength=len(centres))
    radius = np.sqrt(np.bincount(of, offs, minlength=len(centres)) / np.maximum(members, 1))
    # One cluster always stands: splitting a single crowd makes none of its pieces a kind.
    return max(1, int(np.sum((apart.min(1) > APART * radius) & (members > 1))))
