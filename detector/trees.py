"""Trees: boosted decision trees as plain arrays, so that a population holds no pickle and a row costs a microsecond.

Node 0 is a tree's root; a leaf's `left` is -1. A row goes left where its value is at or below the threshold. The answer
is the sum of the leaves' values over the trees, first to last: a log-odds, the same bits in whatever batch.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import geometry
from detector.compiled import compiled
from detector.population import Population


class Trees(NamedTuple):
    """T trees of at most N nodes each."""

    column: npt.NDArray[np.int32]  # [T, N] which number of a row is asked
    threshold: npt.NDArray[np.float32]  # [T, N]
    left: npt.NDArray[np.int32]  # [T, N] -1: a leaf
    right: npt.NDArray[np.int32]  # [T, N]
    value: npt.NDArray[np.float32]  # [T, N] of a leaf


DTYPES = {"column": np.int32, "threshold": np.float32, "left": np.int32, "right": np.int32, "value": np.float32}


def of(population: Population) -> Trees | None:
    """Return the population's trees, or None where it has none."""
    if "trees_value" not in population.arrays:
        return None
    return Trees(**{name: geometry.array(population, f"trees_{name}", dtype) for name, dtype in DTYPES.items()})


def rows(ux: Any, scalars: Any, u: Any) -> npt.NDArray[np.float32]:
    """Return what trees are asked of each input, f4[n, P + s + U]; unknown numbers are 0."""
    return np.nan_to_num(np.concatenate([ux, np.stack(scalars, axis=1), u], axis=1).astype(np.float32))


def answer(trees: Trees, asked: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the log-odds f4[n] of rows f4[n, C]."""
    out = np.zeros(len(asked), np.float32)
    _answer(trees, asked, out)
    return out


@compiled
def _answer(trees: Any, rows: Any, out: Any) -> None:
    for row in range(rows.shape[0]):
        for tree in range(trees.column.shape[0]):
            node = 0
            while trees.left[tree, node] >= 0:
                below = rows[row, trees.column[tree, node]] <= trees.threshold[tree, node]
                node = trees.left[tree, node] if below else trees.right[tree, node]
            out[row] += trees.value[tree, node]
