"""What is computed of each query by itself, for a whole batch at once; no state, no other row enters.

    x' = scaled input -> z (48-d sketch), c (64 raw coordinates), u (coarse view), contrast, texture
    u  -> ux (principal axes), residual -> nearest cell, surrogate's margin for the answered label

NaN is *unknown*. `geometry` names what is read of the population.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector import feature_loops, geometry, trees
from detector.geometry import Floats, Layout
from detector.once import once
from detector.population import BadPopulation, Population

CONTRAST_FLOOR = np.float32(0.02)  # of an image of range 1: keeps a flat image's texture finite
CONTRAST_RANGE = (0.25, 1.0)  # how far a low contrast shrinks every radius
BLOCK = 1 << 18  # numbers looked at together: a megabyte, which the loops find in the cache one after the other
ROWS = (32, 2_048)  # fewer rows cost more in calls than they gain


@dataclass(frozen=True, slots=True)
class Views:
    """What needs no knowledge of other inputs. [n] rows."""

    z: Floats  # [n, 48] seeded projection: distances and straight lines survive
    c: npt.NDArray[np.int16]  # [n, C] raw coordinates in thousandths: the shape of a difference
    u: Floats  # [n, U] coarse view; of images free of brightness, contrast and sensor noise
    con: Floats  # [n] standard deviation of an image; 1 for a table
    tex: Floats  # [n] roughness of an image; share of a table's discrete columns off their grid


@dataclass(frozen=True, slots=True)
class Features:
    """All readings of single queries. [n] rows; unknown is NaN, -1 for `cell`."""

    z: Floats  # [n, 48]
    c: npt.NDArray[np.int16]  # [n, 64], unused coordinates zero
    ux: Floats  # [n, P] principal axes of u
    sc: Floats  # [n] 0.25..1, multiplied to every distance radius
    tex: Floats  # [n]
    cell: npt.NDArray[np.int32]  # [n] nearest input-space cell
    dc: Floats  # [n] distance to it
    res: Floats  # [n] norm of what the principal axes leave over
    sm: Floats  # [n] surrogate's margin for the model's answer; below 0 they disagree
    foreign: Floats  # [n] log-odds of the trees that tell foreign inputs from ordinary ones

    def take(self, rows: npt.NDArray[np.intp]) -> "Features":
        """Return the chosen rows."""
        return Features(*(getattr(self, name)[rows] for name in self.__slots__))


class Lens:
    """One population's geometry, laid out for the loops. Raises BadPopulation when it does not fit its shape."""

    def __init__(self, population: Population) -> None:
        self.layout: Layout = geometry.layout(population.shape)
        size, model = self.layout.size, population.model
        self.offset = _filled(population, "offset", size)
        self.scale = _filled(population, "scale", size)
        self.projection = geometry.projection(model, size)
        self.coords = geometry.array(population, "coords", np.int32)
        self.coord_scale = geometry.array(population, "coord_scale", np.float32)
        self.levels = geometry.array(population, "levels", np.float32)
        self.levels_start = geometry.array(population, "levels_start", np.int32, np.zeros(size + 1))
        self.bucket, self.sign = _coarse_columns(self.layout, model)
        self._learnt(population)

    def _learnt(self, population: Population) -> None:
        """Read what only a fitted population has; absent arrays are empty."""
        self.pca_mean = geometry.array(population, "pca_mean", np.float32)
        self.pca = geometry.array(population, "pca", np.float32)
        self.cells_t = geometry.array(population, "cells", np.float32).T.copy()
        self.labels = geometry.array(population, "labels", np.int64)
        self.net_in, self.net_out = (geometry.array(population, name, np.float32) for name in ("net_in", "net_out"))
        self.net_in_bias = geometry.array(population, "net_in_bias", np.float32)
        self.net_out_bias = geometry.array(population, "net_out_bias", np.float32)
        self.con = geometry.number(population, "con")
        self.trees = trees.of(population)

    @property
    def axes(self) -> int:
        """Principal axes learnt; 0 where the population has none yet."""
        return int(self.pca.shape[-1]) if self.pca.size else 0


@once
def lens(population: Population) -> Lens | None:
    """Return the population's lens, or None where inputs can't be looked at (none seen, or too large)."""
    sized = 0 < math.prod(population.shape) <= geometry.INPUT_MAX and len(population.shape) > 0
    return Lens(population) if sized and {"offset", "scale"} <= population.arrays.keys() else None


def views(population: Population, inputs: Floats) -> Views:
    """Return the views of inputs f4[n, D]; the population needs no more than its scale and coordinates."""
    glass = lens(population)
    if glass is None:
        raise ValueError(f"features: inputs of shape {population.shape} can't be looked at")
    return _views(glass, _plain(inputs))


def reduce(u: Floats, mean: Floats, axes: Floats) -> tuple[Floats, Floats]:
    """Return the coordinates ux f4[n, P] on the principal axes f4[U, P] and the residual f4[n]."""
    centred = _plain(u - mean)
    ux = feature_loops.projected(centred, _plain(axes))
    return ux, feature_loops.rest(centred, ux)


def extract(population: Population, inputs: Floats, label: npt.NDArray[np.int64]) -> Features:
    """Return all features of inputs f4[n, D] with the labels i8[n] that the model answered."""
    glass = lens(population)
    if glass is None:
        raise ValueError(f"features: inputs of shape {population.shape} can't be looked at")
    return look(glass, inputs, label)


def look(glass: Lens, inputs: Floats, label: npt.NDArray[np.int64]) -> Features:
    """Return all features through a lens made once; in blocks, so that scratch memory is bounded."""
    step = min(max(BLOCK // glass.layout.size, ROWS[0]), ROWS[1])
    starts = range(0, max(len(inputs), 1), step)
    parts = [_look(glass, _plain(inputs[at : at + step]), label[at : at + step]) for at in starts]
    return parts[0] if len(parts) == 1 else _joined(parts)


def _look(glass: Lens, inputs: Floats, label: npt.NDArray[np.int64]) -> Features:
    seen = _views(glass, inputs)
    sc = np.ones(len(inputs), np.float32)
    if glass.con > 0:
        sc = np.clip(seen.con / np.float32(glass.con), *CONTRAST_RANGE).astype(np.float32)
    c = np.zeros((len(inputs), geometry.COORDS), np.int16)
    c[:, : seen.c.shape[1]] = seen.c
    if glass.axes == 0:
        unknown = np.full(len(inputs), np.nan, np.float32)
        nowhere = np.full(len(inputs), -1, np.int32)
        ux = np.zeros((len(inputs), 1), np.float32)
        return Features(seen.z, c, ux, sc, seen.tex, nowhere, unknown, unknown, unknown, unknown)
    ux, res = reduce(seen.u, glass.pca_mean, glass.pca)
    cell, dc = _nearest(glass, ux)
    foreign = np.full(len(inputs), np.nan, np.float32)
    if glass.trees is not None:
        foreign = trees.answer(glass.trees, trees.rows(ux, (res, dc, seen.con, seen.tex), seen.u))
    return Features(seen.z, c, ux, sc, seen.tex, cell, dc, res, doubt(glass, seen.u, label), foreign)


def asked_of_trees(glass: Lens, inputs: Floats) -> Floats:
    """Return the rows f4[n, C] that the trees are asked of inputs f4[n, D]; they need not have grown yet."""
    seen = _views(glass, _plain(inputs))
    ux, res = reduce(seen.u, glass.pca_mean, glass.pca)
    return trees.rows(ux, (res, _nearest(glass, ux)[1], seen.con, seen.tex), seen.u)


def _views(glass: Lens, inputs: Floats) -> Views:
    within = feature_loops.scaled(inputs, glass.offset, glass.scale)
    z = feature_loops.projected(within, glass.projection)
    c = feature_loops.chosen(inputs, glass.coords, glass.offset, glass.coord_scale)
    if not glass.layout.image:
        u = feature_loops.folded(within, glass.bucket, glass.sign, glass.layout.coarse)
        tex = feature_loops.off_grid(inputs, glass.levels, glass.levels_start)
        return Views(z, c, u, np.ones(len(inputs), np.float32), tex)
    con = feature_loops.contrast(within)
    size = glass.layout
    rough = feature_loops.roughness(within, size.height, size.width, size.channels, size.channels_first)
    u = feature_loops.pooled(within, glass.bucket, size.coarse, max(size.channels, 1))
    return Views(z, c, u, con, rough / (con + CONTRAST_FLOOR))


def _nearest(glass: Lens, ux: Floats) -> tuple[npt.NDArray[np.int32], Floats]:
    if glass.cells_t.size == 0:
        return np.full(len(ux), -1, np.int32), np.full(len(ux), np.nan, np.float32)
    return feature_loops.nearest(ux, glass.cells_t)


def doubt(glass: Lens, u: Floats, label: npt.NDArray[np.int64]) -> Floats:
    """Return the surrogate's margin f4[n] for the answered label; unknown for labels the population never saw."""
    if glass.net_in.size == 0:
        return np.full(len(u), np.nan, np.float32)
    hidden = np.maximum(feature_loops.projected(_plain(u), glass.net_in) + glass.net_in_bias, np.float32(0))
    answers = feature_loops.projected(hidden, glass.net_out) + glass.net_out_bias
    place = np.minimum(np.searchsorted(glass.labels, label), len(glass.labels) - 1)
    return feature_loops.lead(answers, np.where(glass.labels[place] == label, place, -1))


def _coarse_columns(layout: Layout, model: str) -> tuple[npt.NDArray[np.int32], Floats]:
    """Return for each number of an input the coarse column it is added to, and its sign."""
    if not layout.image:
        return geometry.folding(model, layout.size)
    rows, columns = layout.cells
    down = np.arange(layout.height) * rows // layout.height
    right = np.arange(layout.width) * columns // layout.width
    block = (down[:, None] * columns + right)[:, :, None] * layout.channels + np.arange(layout.channels)
    order = block.transpose(2, 0, 1) if layout.channels_first else block
    return np.ascontiguousarray(order, np.int32).ravel(), np.ones(layout.size, np.float32)


def _filled(population: Population, name: str, size: int) -> Floats:
    held = geometry.array(population, name, np.float32)
    if held.shape != (size,):
        raise BadPopulation(f"population: {name} has shape {held.shape} where an input has {size} numbers")
    return held


def _plain(values: npt.NDArray[Any]) -> Floats:
    """Return contiguous, writable float32: the one form for which the loops are compiled."""
    return np.require(values, np.float32, ["C", "W"])


def _joined(parts: Sequence[Features]) -> Features:
    return Features(*(np.concatenate([getattr(part, name) for part in parts]) for name in Features.__slots__))


def unknown(count: int) -> Features:
    """Return the features of `count` queries without an input."""
    nan = np.full(count, np.nan, np.float32)
    return Features(
        z=np.zeros((count, geometry.SKETCH), np.float32),
        c=np.zeros((count, geometry.COORDS), np.int16),
        ux=np.zeros((count, 1), np.float32),
        sc=np.ones(count, np.float32),
        tex=nan,
        cell=np.full(count, -1, np.int32),
        dc=nan,
        res=nan,
        sm=nan,
        foreign=nan,
    )


def spread(known: Features, rows: npt.NDArray[np.intp], count: int) -> Features:
    """Return features of `count` queries, of which `rows` have an input and the others are unknown."""
    blank = unknown(count)
    columns = {name: getattr(blank, name).copy() for name in Features.__slots__}
    columns["ux"] = np.zeros((count, known.ux.shape[1]), np.float32)
    for name, column in columns.items():
        column[rows] = getattr(known, name)
    return Features(**columns)
