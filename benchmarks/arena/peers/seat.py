"""SEAT-like: a thief asks for inputs much alike; fifty queries that resemble an earlier one end an account.

The paper's encoder is trained against the model's own adversarial examples; here it is a fixed random projection.
Where ordinary inputs are equal more often than the target allows, as a table's rows are, nothing is called similar.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from scipy.spatial.distance import cdist

from benchmarks.arena.data import Floats
from benchmarks.arena.peers.embedding import embedding
from benchmarks.arena.peers.peer import SAMPLE, Checks, Fitted, Numbers, Peer
from benchmarks.arena.stream import Stream, World

PAIRS: Final = 50  # similar pairs that end an account
ALARMS: Final = 1e-4  # a query, of ordinary use: the target of the authors' code
BLOCK: Final = 500  # queries compared at once


def prepare(world: World, _past: Sequence[Stream]) -> Fitted:
    """Return SEAT with the distance below which fifty pairs among ordinary queries would make the target's alarms.

    As in the paper ordinary queries are independent draws, from the part that the past's clients draw from too: the
    clients themselves repeat their own and each other's inputs, and would call nothing similar.
    """
    matrix = embedding(world.data)
    pool = world.data.past.inputs
    drawn = world.random("peers", "seat").permutation(len(pool))[:SAMPLE]
    near = nearest_earlier(pool[drawn] @ matrix)[1:]
    similar = float(np.quantile(near, PAIRS * ALARMS, method="lower"))
    return Fitted({"SEAT": PAIRS - 1}, partial(scores, matrix, similar))


PEER: Final = Peer("SEAT", "Zhang, Chen and Wagner, AISec 2021, doi 10.1145/3474369.3486863", prepare)


def scores(matrix: Floats, similar: float, stream: Stream) -> Checks:
    """Return, at each query, how many so far were closer than `similar` to an earlier one."""
    near = nearest_earlier(stream.inputs @ matrix)
    return Checks(np.arange(1, len(stream) + 1), np.cumsum(near < similar).astype(np.float64))


def nearest_earlier(rows: Floats) -> Numbers:
    """Return f8[n], each row's distance to the nearest before it; infinite for the first."""
    found = np.full(len(rows), np.inf)
    for begin in range(0, len(rows), BLOCK):
        end = min(begin + BLOCK, len(rows))
        apart = cdist(rows[begin:end], rows[:end])
        later = np.arange(end) >= np.arange(begin, end)[:, None]
        found[begin:end] = np.where(later, np.inf, apart).min(1)
    return found
