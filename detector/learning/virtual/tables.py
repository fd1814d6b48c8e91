"""Virtual kinds of clients that send rows of a table. A new one is one function here and one line in TABLES.

Numeric columns have mean 0 and sd 1 here, binary ones are centred.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector.learning.virtual.pool import Copies, Pool, Rows, VirtualKind, runs

Random = np.random.Generator
Array = npt.NDArray[Any]
HALF: Final = 0.5
SOME: Final = 0.3  # share of the columns that a client's oddity touches


def offset(pool: Pool, rng: Random) -> Copies:
    """Make another calibration: some numeric columns moved by a constant."""
    rows = pool.draw(rng)
    moved = _some(pool.numeric, rng) * rng.normal(0, 0.3, len(pool.numeric))
    return _copies(pool, rows, pool.inputs[rows] + moved)


def scale(pool: Pool, rng: Random) -> Copies:
    """Make another unit: some numeric columns stretched by a constant."""
    rows = pool.draw(rng)
    stretch = np.where(_some(pool.numeric, rng), rng.uniform(0.7, 1.4, len(pool.numeric)), 1)
    return _copies(pool, rows, pool.inputs[rows] * stretch)


def ramp(pool: Pool, rng: Random) -> Copies:
    """Make a stress tester: each row in 5 to 9 steps of rising noise or offset."""
    lengths = runs(rng, 5, 9)
    rows = np.repeat(pool.draw(rng, len(lengths)), lengths)
    step = np.concatenate([np.linspace(0.1, 1, length) for length in lengths])[:, None]
    shift = np.repeat(rng.normal(0, 0.7, (len(lengths), len(pool.numeric))), lengths, axis=0)
    rough = rng.normal(0, 0.7, shift.shape)
    noisy = np.repeat(rng.random(len(lengths)) < HALF, lengths)[:, None]
    return _copies(pool, rows, pool.inputs[rows] + pool.numeric * step * np.where(noisy, rough, shift))


def jit(pool: Pool, rng: Random) -> Copies:
    """Make a source with noisy instruments: every numeric column a little off in each query."""
    rows = pool.draw(rng)
    off = rng.normal(0, rng.uniform(0.02, 0.15), (len(rows), len(pool.numeric)))
    return _copies(pool, rows, pool.inputs[rows] + pool.numeric * off)


def impute(pool: Pool, rng: Random) -> Copies:
    """Make a source with gaps filled with the column's median, other columns in each query."""
    rows = pool.draw(rng)
    gaps = rng.random((len(rows), len(pool.numeric))) < rng.uniform(0.05, 0.25)
    return _copies(pool, rows, np.where(gaps, np.median(pool.inputs, 0), pool.inputs[rows]))


def missing(pool: Pool, rng: Random) -> Copies:
    """Make a form with columns never filled: their smallest value in each query."""
    rows = pool.draw(rng)
    return _copies(pool, rows, np.where(_some(np.ones_like(pool.numeric), rng), pool.inputs.min(0), pool.inputs[rows]))


def shuffle(pool: Pool, rng: Random) -> Copies:
    """Make a wrong join: some columns come from other rows."""
    rows = pool.draw(rng)
    return _copies(
        pool, rows, np.where(_some(np.ones_like(pool.numeric), rng), pool.inputs[pool.draw(rng)], pool.inputs[rows])
    )


def sweep(pool: Pool, rng: Random) -> Copies:
    """Make an analyst who asks what if: one column of a row over its whole range."""
    lengths = runs(rng, 8, 24)
    rows = np.repeat(pool.draw(rng, len(lengths)), lengths)
    inputs = pool.inputs[rows]
    column = int(rng.choice(_numbered(pool)))
    low, high = np.quantile(pool.inputs[:, column], [0.01, 0.99])
    inputs[:, column] = np.concatenate([np.linspace(low, high, length) for length in lengths])
    return _copies(pool, rows, inputs)


def stress(pool: Pool, rng: Random) -> Copies:
    """Make a tester who pushes some columns of each row to one of their ends."""
    rows = pool.draw(rng)
    pushed = rng.random((len(rows), len(pool.numeric))) < rng.uniform(0.1, 0.4)
    return _copies(pool, rows, np.where(pushed, _ends(pool, rows, rng), pool.inputs[rows]))


def ends(pool: Pool, rng: Random) -> Copies:
    """Make a tester of limits: one or two columns at an end, all others as they were."""
    rows = pool.draw(rng)
    pushed = np.zeros((len(rows), len(pool.numeric)), np.bool_)
    for _ in range(2):
        pushed[np.arange(len(rows)), rng.choice(_numbered(pool), len(rows))] = True
    return _copies(pool, rows, np.where(pushed, _ends(pool, rows, rng), pool.inputs[rows]))


TABLES: Final = (
    VirtualKind("offset", offset, safe=True),
    VirtualKind("scale", scale, safe=True),
    VirtualKind("ramp", ramp, safe=True),
    VirtualKind("jit", jit, safe=True),
    VirtualKind("impute", impute, safe=True),
    VirtualKind("missing", missing),
    VirtualKind("shuffle", shuffle),
    VirtualKind("sweep", sweep),
    VirtualKind("stress", stress),
    VirtualKind("ends", ends),
)


def _copies(pool: Pool, rows: Rows, inputs: Array) -> Copies:
    kept = np.asarray(inputs, np.float64)
    return Copies(rows, kept.reshape(len(rows), pool.inputs.shape[1]))


def _some(allowed: npt.NDArray[np.bool_], rng: Random) -> npt.NDArray[np.bool_]:
    """Choose about SOME of the allowed columns, at least one where there is one."""
    chosen: npt.NDArray[np.bool_] = allowed & (rng.random(len(allowed)) < SOME)
    if allowed.any() and not chosen.any():
        chosen[rng.choice(np.flatnonzero(allowed))] = True
    return chosen


def _numbered(pool: Pool) -> Rows:
    """Return the numeric columns, or all where there is none."""
    return np.flatnonzero(pool.numeric) if pool.numeric.any() else np.arange(len(pool.numeric))


def _ends(pool: Pool, rows: Rows, rng: Random) -> Array:
    low, high = pool.inputs.min(0), pool.inputs.max(0)
    pushed: Array = np.where(rng.random((len(rows), len(low))) < HALF, low, high)
    return pushed
