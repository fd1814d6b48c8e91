"""The compiled way from inputs to features, in one call: a small batch costs its calls, not its numbers.

`features` says what the numbers mean, `feature_loops` how each of them is reckoned.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.compiled import compiled
from detector.feature_loops import (
    chosen,
    contrast,
    folded,
    lead,
    nearest,
    off_grid,
    pooled,
    projected,
    rest,
    roughness,
    scaled,
)
from detector.geometry import COORDS, Floats
from detector.trees import Questions, answered, rows

CONTRAST_FLOOR: Final = np.float32(0.02)  # of an image of range 1: keeps a flat image's texture finite
CONTRAST_LEAST: Final = np.float32(0.25)  # how far a low contrast shrinks every radius
CONTRAST_MOST: Final = np.float32(1)


class Optics(NamedTuple):
    """A population's geometry as the loops take it; what it has not learnt is empty. `geometry.ARRAYS` says more."""

    offset: Floats
    scale: Floats
    projection: Floats
    coords: npt.NDArray[np.int32]
    coord_scale: Floats
    levels: Floats
    levels_start: npt.NDArray[np.int32]
    bucket: npt.NDArray[np.int32]  # for each number of an input the coarse column that it is added to,
    sign: Floats  # and its sign
    pca_mean: Floats
    pca: Floats
    cells_t: Floats
    labels: npt.NDArray[np.int64]
    net_in: Floats
    net_in_bias: Floats
    net_out: Floats
    net_out_bias: Floats
    trees: Questions
    con: float
    coarse: int
    image: bool
    sizes: tuple[int, int, int, bool]  # of an image: height, width, channels, whether these come first


@compiled
def views(optics: Any, inputs: Any) -> Any:
    """Return z, c, u, contrast and texture, see `features.Views`."""
    within = scaled(inputs, optics.offset, optics.scale)
    z = projected(within, optics.projection)
    c = chosen(inputs, optics.coords, optics.offset, optics.coord_scale)
    if not optics.image:
        u = folded(within, optics.bucket, optics.sign, optics.coarse)
        return z, c, u, np.ones(len(inputs), np.float32), off_grid(inputs, optics.levels, optics.levels_start)
    height, width, channels, first = optics.sizes
    con = contrast(within)
    tex = roughness(within, height, width, channels, first) / (con + CONTRAST_FLOOR)
    return z, c, pooled(within, optics.bucket, optics.coarse, max(channels, 1)), con, tex


@compiled
def reduced(u: Any, mean: Any, axes: Any) -> Any:
    """Return ux and the residual."""
    centred = u - mean
    ux = projected(centred, axes)
    return ux, rest(centred, ux)


@compiled
def placed(optics: Any, ux: Any) -> Any:
    """Return the nearest cell of each row, and the distance to it."""
    if optics.cells_t.size == 0:
        return np.full(len(ux), -1, np.int32), np.full(len(ux), np.nan, np.float32)
    return nearest(ux, optics.cells_t)


@compiled
def doubted(optics: Any, u: Any, label: Any) -> Any:
    """Return the surrogate's margin for the answered label."""
    if optics.net_in.size == 0:
        return np.full(len(u), np.nan, np.float32)
    hidden = np.maximum(projected(u, optics.net_in) + optics.net_in_bias, np.float32(0))
    answers = projected(hidden, optics.net_out) + optics.net_out_bias
    column = np.full(len(u), -1, np.int64)
    for row in range(len(u)):
        place = np.searchsorted(optics.labels, label[row])
        if place < len(optics.labels) and optics.labels[place] == label[row]:
            column[row] = place
    return lead(answers, column)


@compiled
def asked_of_trees(optics: Any, inputs: Any) -> Any:
    """Return the rows that the trees are asked of inputs."""
    _, _, u, con, tex = views(optics, inputs)
    ux, res = reduced(u, optics.pca_mean, optics.pca)
    _, dc = placed(optics, ux)
    return rows(ux, (res, dc, con, tex), u)


@compiled
def look(optics: Any, inputs: Any, label: Any) -> Any:
    """Return the columns of `features.Features`."""
    count = len(inputs)
    z, raw, u, con, tex = views(optics, inputs)
    c = np.zeros((count, COORDS), np.int16)
    c[:, : raw.shape[1]] = raw
    sc = np.ones(count, np.float32)
    for row in range(count if optics.con > 0 else 0):
        sc[row] = min(max(con[row] / np.float32(optics.con), CONTRAST_LEAST), CONTRAST_MOST)
    foreign = np.full(count, np.nan, np.float32)
    if optics.pca.size == 0:
        ux, cell = np.zeros((count, 1), np.float32), np.full(count, -1, np.int32)
        return z, c, ux, sc, tex, cell, foreign.copy(), foreign.copy(), foreign.copy(), foreign
    ux, res = reduced(u, optics.pca_mean, optics.pca)
    cell, dc = placed(optics, ux)
    if len(optics.trees.value) > 0:
        foreign = answered(optics.trees, rows(ux, (res, dc, con, tex), u))
    return z, c, ux, sc, tex, cell, dc, res, doubted(optics, u, label), foreign
