"""Half-space trees: how unusual a row is among those learnt. River grows the trees; the loops fill them and walk them.

Filled by our loop, a tree holds what river's own `learn_one` would have put in, and a row gets river's `score_one`, a
hundred times as fast. Source: Tan, Ting and Liu 2011; river.anomaly.HalfSpaceTrees.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.compiled import compiled, lean
from detector.population import BadPopulation

TREES: Final = 25
HEIGHT: Final = 8
QUESTIONS: Final = (TREES, 2**HEIGHT - 1)
SEED: Final = 7  # any; fixed, so that the same past grows the same trees
ENOUGH: Final = 0.1  # of the window: a node with fewer rows ends a walk, as in the paper

Rows = npt.NDArray[np.float32]


class HalfSpaces(NamedTuple):
    """Perfect binary trees, node k's children are 2k + 1 and 2k + 2. [T, nodes]."""

    column: npt.NDArray[np.int64]  # which number of a row is asked; less than the threshold goes to the first child
    threshold: npt.NDArray[np.float64]
    filling: npt.NDArray[np.int64]  # rows of the present window that came by
    filled: npt.NDArray[np.int64]  # rows of the window before: what scores are made of


def grown(columns: Sequence[int]) -> HalfSpaces:
    """Return empty trees over these columns, whose values lie within 0..1."""
    from river import anomaly  # noqa: PLC0415  # takes two seconds, which only who learns should spend

    model: Any = anomaly.HalfSpaceTrees(n_trees=TREES, height=HEIGHT, seed=SEED)  # river is typed in part only
    model.learn_one(dict.fromkeys(columns, 0.0))
    out = empty(np.zeros(QUESTIONS, np.int64), np.zeros(QUESTIONS), 1)
    for tree, root in enumerate(model.trees):
        _copy(root, tree, 0, out)
    return out


def empty(column: npt.NDArray[np.int64], threshold: npt.NDArray[np.float64], columns: int) -> HalfSpaces:
    """Return trees that ask this of rows of so many columns, and hold nothing. Raises BadPopulation."""
    if not column.shape == threshold.shape == QUESTIONS or not np.isin(column, np.arange(columns)).all():
        raise BadPopulation(f"population: half-space trees must ask {QUESTIONS} questions of {columns} columns")
    nodes = TREES, 2 ** (HEIGHT + 1) - 1
    return HalfSpaces(column, threshold, np.zeros(nodes, np.int64), np.zeros(nodes, np.int64))


def _copy(node: Any, tree: int, at: int, out: HalfSpaces) -> None:
    if at >= out.column.shape[1]:
        return
    out.column[tree, at], out.threshold[tree, at] = node.feature, node.threshold
    for side, child in enumerate(node.children):
        _copy(child, tree, 2 * at + 1 + side, out)


def taught(trees: HalfSpaces, rows: Rows, usual: Rows, window: int) -> npt.NDArray[np.float64]:
    """Learn rows f4[m, R] one after the other and return what was said of each before, f8[m]; 0 in the first window.

    Unknown numbers are learnt as the `usual` f4[R] ones.
    """
    said = np.zeros(len(rows))
    _teach(trees, (rows, np.where(np.isnan(rows), usual, rows)), window, said)
    return said


def scores(trees: HalfSpaces, rows: Rows, window: int) -> npt.NDArray[np.float64]:
    """Return how odd each row f4[m, R] is, 0..1; where a number is unknown a walk follows the greater mass."""
    out = np.zeros(len(rows))
    score(trees, rows, window, out)
    return out


@compiled
def _teach(trees: HalfSpaces, rows: Any, window: int, said: Any) -> None:
    given, whole = rows
    for row in range(given.shape[0]):
        if row >= window:
            score(trees, given[row : row + 1], window, said[row : row + 1])
        for tree in range(trees.column.shape[0]):
            _learn(trees.column[tree], trees.threshold[tree], trees.filling[tree], whole[row])
        if (row + 1) % window == 0:
            trees.filled[:] = trees.filling
            trees.filling[:] = 0


@compiled
def _learn(column: Any, threshold: Any, filling: Any, row: Any) -> None:
    node = 0
    while node < column.shape[0]:
        filling[node] += 1
        node = 2 * node + (1 if row[column[node]] < threshold[node] else 2)
    filling[node] += 1


@lean
def score(trees: HalfSpaces, rows: Any, window: int, out: Any) -> None:
    """Write `scores`."""
    most = trees.column.shape[0] * window * trees.filled.shape[1]
    for row in range(rows.shape[0]):
        total = 0
        for tree in range(trees.column.shape[0]):
            total += _mass(trees, tree, rows[row], ENOUGH * window)
        out[row] = 1 - total / most


@lean
def _mass(trees: HalfSpaces, tree: int, row: Any, least: float) -> int:
    """Return the rows that came by at each node of a walk, times two to the power of its depth."""
    node, times, total = 0, 1, 0
    while node < trees.column.shape[1]:
        here = trees.filled[tree, node]
        total += here * times
        if here < least:
            return int(total)
        value = row[trees.column[tree, node]]
        node, times = 2 * node + 1, 2 * times
        greater = np.isnan(value) and trees.filling[tree, node] < trees.filling[tree, node + 1]
        if greater or value >= trees.threshold[tree, (node - 1) // 2]:
            node += 1
    return int(total + trees.filled[tree, node] * times)
