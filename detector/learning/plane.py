"""Plane: how a model's inputs are brought to one scale, learnt from ordinary queries (stage A of the geometry)."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector import geometry
from detector.query import Shape

LEVELS_MAX: Final = 64  # a table's column with at most so many values is discrete
NUMERIC_MIN: Final = 3  # a column with fewer values is binary or constant
NORMALISED: Final = (0.2, 5.0)  # standard deviations of columns that are normalised already: kept raw
BRIGHT: Final = 0.999  # quantile of an image's numbers taken as white: one hot pixel must not set the scale
ROWS_MAX: Final = 4_000  # rows looked at for quantiles and levels

Floats = npt.NDArray[np.float32]


def fit(model: str, shape: Shape, sample: Floats) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of stage A (see `geometry.ARRAYS`) for inputs f4[n, D] of this shape."""
    looked = sample[:: max(1, len(sample) // ROWS_MAX)]
    if geometry.layout(shape).image:
        return _image(model, looked)
    return _table(model, looked)


def _image(model: str, sample: Floats) -> dict[str, npt.NDArray[Any]]:
    size = sample.shape[1]
    low, high = (float(value) for value in np.quantile(sample, [1 - BRIGHT, BRIGHT]))
    scale = 1 / (high - low) if high > low else 1.0
    coords = geometry.coordinates(model, np.ones(size, np.bool_))
    return {
        "offset": np.full(size, low, np.float32),
        "scale": np.full(size, scale, np.float32),
        "coords": coords,
        "coord_scale": np.full(len(coords), scale, np.float32),
    }


def _table(model: str, sample: Floats) -> dict[str, npt.NDArray[Any]]:
    values = [np.unique(column) for column in sample.T]
    numeric = np.array([len(column) >= NUMERIC_MIN for column in values])
    spread = np.where(numeric, sample.std(0, dtype=np.float64), [np.ptp(column) for column in values])
    scale = np.divide(1.0, spread, out=np.ones(len(spread)), where=spread > 0)
    coords = geometry.coordinates(model, numeric)
    levels = [column if len(column) <= LEVELS_MAX else column[:0] for column in values]
    return {
        "offset": sample.mean(0, dtype=np.float64).astype(np.float32),
        "scale": scale.astype(np.float32),
        "coords": coords,
        "coord_scale": np.where(_normalised(spread[numeric]), 1.0, scale[coords]).astype(np.float32),
        "numeric": numeric,
        "levels": np.concatenate(levels).astype(np.float32),
        "levels_start": np.cumsum([0, *(len(column) for column in levels)]).astype(np.int32),
    }


def _normalised(spread: npt.NDArray[np.float64]) -> bool:
    """Tell whether most numeric columns have a common scale already: then an attacker's step is one raw size."""
    low, high = NORMALISED
    return bool(len(spread)) and bool(np.all((spread >= low) & (spread <= high)))
