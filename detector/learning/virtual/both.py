"""Virtual kinds that choose among ordinary queries and change none. A new one is one function and one line in BOTH."""

from typing import Final

import numpy as np

from detector.learning.virtual.pool import QUERIES, Copies, Pool, Rows, VirtualKind

HARD: Final = (0.08, 0.15)  # share of the queries, those with the lowest margins, that a cascade passes on
MARGINS_MIN: Final = 0.5  # share of the pool whose margin must be known

Random = np.random.Generator


def hard(pool: Pool, rng: Random) -> Copies | None:
    """Make the second stage of a cascade: only what the first was unsure of arrives."""
    known = np.flatnonzero(np.isfinite(pool.margin))
    if len(known) < max(1, MARGINS_MIN * len(pool.margin)):
        return None
    unsure = known[pool.margin[known] <= np.quantile(pool.margin[known], rng.uniform(*HARD))]
    return _from(pool, unsure, rng)


def one_class(pool: Pool, rng: Random) -> Copies:
    """Make a client with one or two classes only."""
    wanted = rng.choice(pool.label, int(rng.integers(1, 3)))
    return _from(pool, np.flatnonzero(np.isin(pool.label, wanted)), rng)


def cell(pool: Pool, rng: Random) -> Copies:
    """Make a client at home in a few places of the input space."""
    shares = rng.dirichlet(np.full(int(pool.cell.max(initial=0)) + 1, 0.3))
    weight = (shares / np.maximum(np.bincount(pool.cell, minlength=len(shares)), 1))[pool.cell]
    rows = rng.choice(len(pool.cell), QUERIES, p=weight / weight.sum()).astype(np.intp)
    return Copies(rows, pool.inputs[rows])


BOTH: Final = (
    VirtualKind("hard", hard, real=True),
    VirtualKind("class", one_class, real=True),
    VirtualKind("cell", cell, real=True),
)


def _from(pool: Pool, rows: Rows, rng: Random) -> Copies:
    chosen = rng.choice(rows, QUERIES, replace=len(rows) < QUERIES).astype(np.intp)
    return Copies(chosen, pool.inputs[chosen])
