"""The compiled loops say, to the last bit, what plain numpy or river say in the same order of summation."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import anomaly

from detector import feature_loops, half_space, trees
from detector.compiled import squares

FEW = settings(max_examples=25, deadline=None)
Floats = npt.NDArray[np.float32]


def _numbers(seed: int, *shape: int) -> Floats:
    """Return numbers of which a third are zero."""
    random = np.random.default_rng(seed)
    return np.where(random.random(shape) < 1 / 3, 0, random.normal(size=shape)).astype(np.float32)


@FEW
@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 70), st.integers(1, 50))
def test_projections_sum_column_by_column(seed: int, rows: int, columns: int, width: int) -> None:
    """Four terms at a time, or none of four zeros, are still one after the other."""
    inputs, matrix = _numbers(seed, rows, columns), _numbers(seed + 1, columns, width)
    plain = np.zeros((rows, width), np.float32)
    for column in range(columns):
        plain += inputs[:, column, None] * matrix[column]

    assert np.array_equal(feature_loops.projected(inputs, matrix), plain)


@FEW
@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 40), st.integers(1, 30))
def test_nearest_cells_sum_axis_by_axis(seed: int, rows: int, axes: int, cells: int) -> None:
    """The first of the nearest, and the way to it."""
    ux, cells_t = _numbers(seed, rows, axes), _numbers(seed + 1, axes, cells)
    square = np.zeros((rows, cells), np.float32)
    for axis in range(axes):
        square += (ux[:, axis, None] - cells_t[axis]) ** 2
    cell, distance = feature_loops.nearest(ux, cells_t)

    assert np.array_equal(cell, square.argmin(axis=1))
    assert np.array_equal(distance, np.sqrt(square.min(axis=1)))


@FEW
@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 40))
def test_contrast_sums_pixel_by_pixel(seed: int, rows: int, pixels: int) -> None:
    """Rows that are reckoned side by side do not meet."""
    images = _numbers(seed, rows, pixels)
    mean = images.astype(np.float64).cumsum(axis=1)[:, -1] / pixels
    square = np.square(images - mean[:, None]).cumsum(axis=1)[:, -1]

    assert np.array_equal(feature_loops.contrast(images), np.sqrt(square / pixels).astype(np.float32))


@FEW
@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 3, 4]))
def test_roughness_sums_neighbour_by_neighbour(seed: int, count: int, height: int, width: int, channels: int) -> None:
    """Channels first or last, the nine around a pixel are added from upper left to lower right."""
    images = _numbers(seed, count, height, width, channels)
    padded = np.pad(images.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    around = np.zeros(images.shape)
    for y in range(3):
        for x in range(3):
            around += padded[:, y : y + height, x : x + width]
    apart = np.abs(images - around / 9.0).cumsum(axis=3)[..., -1].reshape(count, -1).cumsum(axis=1)[:, -1]
    plain = (apart / (height * width * channels)).astype(np.float32)
    first = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(count, -1)

    sizes = (height, width, channels)
    assert np.array_equal(feature_loops.roughness(images.reshape(count, -1), *sizes, False), plain)
    assert np.array_equal(feature_loops.roughness(first, *sizes, True), plain)


@FEW
@given(st.integers(0, 99), st.integers(1, 9))
def test_coarse_views_sum_pixel_by_pixel(seed: int, rows: int) -> None:
    """A row has the same blocks alone and among others."""
    pixels, cell_of = _numbers(seed, rows, 36), np.arange(36, dtype=np.int32) // 9
    alone = [feature_loops.pooled(pixels[at : at + 1], cell_of, 4, 1) for at in range(rows)]

    assert np.array_equal(feature_loops.pooled(pixels, cell_of, 4, 1), np.concatenate(alone))


@FEW
@given(st.integers(0, 99), st.integers(1, 150))
def test_questions_find_the_leaf_that_a_walk_finds(seed: int, rows: int) -> None:
    """Ruling out leaves ends where walking down does."""
    random = np.random.default_rng(seed)
    grown, asked = _tree(random), _numbers(seed, rows, 5)
    plain = [_walked(grown, row) for row in asked]

    assert np.array_equal(trees.answer(trees.questions(grown), asked), np.array(plain, np.float32))


def _tree(random: np.random.Generator) -> trees.Trees:
    """Return one tree of up to 16 leaves of any shape: a leaf is split again and again."""
    left, leaves = np.full((1, 31), -1, np.int32), [0]
    right = left.copy()
    for node in range(1, 2 * int(random.integers(0, 16)), 2):
        split = leaves.pop(int(random.integers(len(leaves))))
        left[0, split], right[0, split] = node, node + 1
        leaves += [node, node + 1]
    column = random.integers(0, 5, (1, 31)).astype(np.int32)
    return trees.Trees(column, _numbers(1, 1, 31), left, right, random.normal(size=(1, 31)).astype(np.float32))


def _walked(tree: trees.Trees, row: Floats) -> Any:
    node = 0
    while tree.left[0, node] >= 0:
        below = row[tree.column[0, node]] <= tree.threshold[0, node]
        node = int(tree.left[0, node] if below else tree.right[0, node])
    return tree.value[0, node]


@pytest.mark.parametrize("seed", range(3))
def test_half_spaces_are_rivers(seed: int) -> None:
    """Rows with unknown numbers are scored as river's trees do that learnt the same, before and after each."""
    random, window = np.random.default_rng(seed), 40
    rows = np.where(random.random((130, 6)) < 0.15, np.nan, random.random((130, 6))).astype(np.float32)
    usual = np.nanmedian(rows, axis=0)
    model: Any = anomaly.HalfSpaceTrees(
        n_trees=half_space.TREES, height=half_space.HEIGHT, window_size=window, seed=half_space.SEED
    )
    said = []
    for row in rows:
        known = {at: float(value) for at, value in enumerate(row) if not np.isnan(value)}
        said.append(float(model.score_one(known)))
        model.learn_one({at: float(value) for at, value in enumerate(usual)} | known)
    grown = half_space.grown(range(6))

    assert half_space.taught(grown, rows, usual, window).tolist() == said
    later = [{at: float(value) for at, value in enumerate(row) if not np.isnan(value)} for row in rows]
    assert half_space.scores(grown, rows, window).tolist() == [model.score_one(known) for known in later]


@FEW
@given(st.integers(0, 99), st.integers(1, 50), st.integers(1, 70))
def test_squared_distances_sum_axis_by_axis(seed: int, axes: int, held: int) -> None:
    """Four terms at a time, or fewer at the end: the same bits as one by one."""
    rows, query = _numbers(seed, axes, held).astype(np.float32), _numbers(seed + 1, axes).astype(np.float32)
    out, plain = np.empty(held, np.float32), np.zeros(held, np.float32)
    squares(rows, query, out)
    for axis in range(axes):
        plain += (rows[axis] - query[axis]) ** 2

    assert out.tobytes() == plain.tobytes()
