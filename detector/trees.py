"""Trees: boosted decision trees as plain arrays, so that a population holds no pickle and a row costs a microsecond.

Node 0 is a tree's root; a leaf's `left` is -1. A row goes left where its value is at or below the threshold. The answer
is the sum of the leaves' values over the trees, first to last: a log-odds, the same bits in whatever batch.

No tree is walked: each question that a row answers with no rules out the leaves to its left, and the first leaf that
is left over is the row's. So several rows answer one question together. Source: QuickScorer (Lucchese et al. 2015).
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.cpython.unsafe.numbers import trailing_zeros

from detector import geometry
from detector.compiled import compiled, make_known
from detector.population import BadPopulation, Population

LEAVES_MAX: Final = 32  # of a tree: bits of a mask
_lowest_bit: Final[Any] = trailing_zeros  # one instruction; numba hands it its context
ROWS: Final = 64  # rows that answer a question together


class Trees(NamedTuple):
    """T trees of at most N nodes each."""

    column: npt.NDArray[np.int32]  # [T, N] which number of a row is asked
    threshold: npt.NDArray[np.float32]  # [T, N]
    left: npt.NDArray[np.int32]  # [T, N] -1: a leaf
    right: npt.NDArray[np.int32]  # [T, N]
    value: npt.NDArray[np.float32]  # [T, N] of a leaf


class Questions(NamedTuple):
    """Trees laid out to be asked: Q questions, those of a tree one after the other."""

    begin: npt.NDArray[np.int64]  # [T + 1] where each tree's questions begin
    column: npt.NDArray[np.int64]  # [Q]
    threshold: npt.NDArray[np.float32]  # [Q]
    without: npt.NDArray[np.uint32]  # [Q] the leaves that a no leaves over, a bit each; the leftmost is bit 0
    value: npt.NDArray[np.float32]  # [T, LEAVES_MAX] of the leaves, from left to right


DTYPES = {"column": np.int32, "threshold": np.float32, "left": np.int32, "right": np.int32, "value": np.float32}


def of(population: Population) -> Questions:
    """Return the population's trees, none where it has none. Raises BadPopulation."""
    if "trees_value" not in population.arrays:
        return questions(Trees(**{name: np.zeros((0, 0), dtype) for name, dtype in DTYPES.items()}))
    held = {name: geometry.array(population, f"trees_{name}", dtype) for name, dtype in DTYPES.items()}
    return questions(Trees(**held))


def questions(trees: Trees) -> Questions:
    """Return the trees laid out to be asked. Raises BadPopulation for a tree of more than LEAVES_MAX leaves."""
    begin, asked = [0], list[tuple[int, float, int]]()
    value = np.zeros((len(trees.value), LEAVES_MAX), np.float32)
    for tree in range(len(trees.value)):
        leaves: list[int] = []
        _descend(trees, (tree, 0), leaves, asked)
        if len(leaves) > LEAVES_MAX:
            raise BadPopulation(f"population: tree {tree} has {len(leaves)} leaves, more than {LEAVES_MAX}")
        value[tree, : len(leaves)] = trees.value[tree, leaves]
        begin.append(len(asked))
    return Questions(
        begin=np.array(begin, np.int64),
        column=np.array([column for column, _, _ in asked], np.int64),
        threshold=np.array([threshold for _, threshold, _ in asked], np.float32),
        without=np.array([without for _, _, without in asked], np.uint32),
        value=value,
    )


def _descend(trees: Trees, place: tuple[int, int], leaves: list[int], asked: list[tuple[int, float, int]]) -> None:
    """Add a subtree's leaves, from left to right, and its questions."""
    tree, node = place
    if trees.left[tree, node] < 0:
        leaves.append(node)
        return
    first = len(leaves)
    _descend(trees, (tree, int(trees.left[tree, node])), leaves, asked)
    to_the_left = (1 << len(leaves)) - (1 << first)
    without = ~to_the_left & ((1 << LEAVES_MAX) - 1)
    asked.append((int(trees.column[tree, node]), float(trees.threshold[tree, node]), without))
    _descend(trees, (tree, int(trees.right[tree, node])), leaves, asked)


@compiled
def rows(ux: Any, scalars: Any, u: Any) -> Any:
    """Return what trees are asked of each input, f4[n, P + s + U]; unknown numbers are 0."""
    axes, after = ux.shape[1], ux.shape[1] + len(scalars)
    out = np.empty((len(ux), after + u.shape[1]), np.float32)
    out[:, :axes], out[:, after:] = ux, u
    for place in range(len(scalars)):
        out[:, axes + place] = scalars[place]
    make_known(out.reshape(-1))
    return out


def answer(trees: Questions, asked: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the log-odds f4[n] of rows f4[n, C]."""
    return np.asarray(answered(trees, asked), np.float32)


@compiled
def answered(trees: Any, asked: Any) -> Any:
    """Return the same, in compiled loops too."""
    out = np.zeros(asked.shape[0], np.float32)
    for first in range(0, asked.shape[0], ROWS):
        some = asked[first : first + ROWS]
        columns = np.empty((some.shape[1], some.shape[0]), np.float32)
        for row in range(some.shape[0]):
            for column in range(some.shape[1]):
                columns[column, row] = some[row, column]
        _answer(trees, columns, out[first : first + ROWS])
    return out


@compiled
def _answer(trees: Any, columns: Any, out: Any) -> None:
    left_over = np.empty(out.shape[0], np.uint32)
    for tree in range(trees.value.shape[0]):
        left_over[:] = np.uint32(0xFFFFFFFF)
        for question in range(trees.begin[tree], trees.begin[tree + 1]):
            _rule_out(columns[trees.column[question]], trees.threshold[question], trees.without[question], left_over)
        for row in range(out.shape[0]):
            out[row] += trees.value[tree, _lowest_bit(left_over[row])]


@compiled
def _rule_out(column: Any, threshold: Any, without: Any, left_over: Any) -> None:
    for row in range(left_over.shape[0]):
        kept = left_over[row]
        left_over[row] = kept if column[row] <= threshold else kept & without
