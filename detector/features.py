"""What is computed of each query by itself, for a whole batch at once; no state, no other row enters.

    x' = scaled input -> z (48-d sketch), c (64 raw coordinates), u (coarse view), contrast, texture
    u  -> ux (principal axes), residual -> nearest cell, surrogate's margin for the answered label

NaN is *unknown*. `geometry` names what is read of the population.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import geometry, sight, trees
from detector.geometry import Floats, Layout
from detector.once import once
from detector.population import BadPopulation, Population
from detector.sight import Optics

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


class Features(NamedTuple):
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
        return Features._make(column[rows] for column in self)


class Lens:
    """One population's geometry, laid out for the loops. Raises BadPopulation when it does not fit its shape."""

    def __init__(self, population: Population) -> None:
        size, model = math.prod(population.shape), population.model
        self.layout: Layout = geometry.layout(population.shape)
        bucket, sign = _coarse_columns(self.layout, model)
        self.optics = Optics(
            offset=_filled(population, "offset", size),
            scale=_filled(population, "scale", size),
            projection=geometry.projection(model, size),
            coords=geometry.array(population, "coords", np.int32),
            coord_scale=geometry.array(population, "coord_scale", np.float32),
            levels=geometry.array(population, "levels", np.float32),
            levels_start=geometry.array(population, "levels_start", np.int32, np.zeros(size + 1)),
            bucket=bucket,
            sign=sign,
            **{
                name: geometry.array(population, name, np.float32)
                for name in ("pca_mean", "net_in_bias", "net_out_bias")
            },
            **{name: _matrix(population, name) for name in ("pca", "net_in", "net_out")},
            cells_t=_matrix(population, "cells").T.copy(),
            labels=geometry.array(population, "labels", np.int64),
            trees=trees.of(population),
            con=geometry.number(population, "con"),
            coarse=self.layout.coarse,
            image=self.layout.image,
            sizes=(self.layout.height, self.layout.width, self.layout.channels, self.layout.channels_first),
        )


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
    return Views(*sight.views(glass.optics, _plain(inputs)))


def reduce(u: Floats, mean: Floats, axes: Floats) -> tuple[Floats, Floats]:
    """Return the coordinates ux f4[n, P] on the principal axes f4[U, P] and the residual f4[n]."""
    ux, res = sight.reduced(_plain(u), _plain(mean), _plain(axes))
    return ux, res


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
    return Features._make(sight.look(glass.optics, inputs, _labels(label)))


def asked_of_trees(glass: Lens, inputs: Floats) -> Floats:
    """Return the rows f4[n, C] that the trees are asked of inputs f4[n, D]; they need not have grown yet."""
    return np.asarray(sight.asked_of_trees(glass.optics, _plain(inputs)), np.float32)


def doubt(glass: Lens, u: Floats, label: npt.NDArray[np.int64]) -> Floats:
    """Return the surrogate's margin f4[n] for the answered label; unknown for labels the population never saw."""
    return np.asarray(sight.doubted(glass.optics, _plain(u), _labels(label)), np.float32)


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


def _matrix(population: Population, name: str) -> Floats:
    held = geometry.array(population, name, np.float32)
    return held if held.size else held.reshape(0, 0)


def _plain(values: npt.NDArray[Any]) -> Floats:
    """Return contiguous, writable float32: the one form for which the loops are compiled."""
    return values if _is_plain(values, np.float32) else np.require(values, np.float32, ["C", "W"])


def _labels(label: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return label if _is_plain(label, np.int64) else np.require(label, np.int64, ["C", "W"])


def _is_plain(values: npt.NDArray[Any], dtype: Any) -> bool:
    return values.dtype == dtype and values.flags.carray  # numpy.require takes ten times as long to see it


def _joined(parts: Sequence[Features]) -> Features:
    return Features._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


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
    columns = {name: column.copy() for name, column in blank._asdict().items()}
    columns["ux"] = np.zeros((count, known.ux.shape[1]), np.float32)
    for name, column in columns.items():
        column[rows] = getattr(known, name)
    return Features(**columns)
