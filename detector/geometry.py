"""How a model's inputs are looked at: the seeded projections and what the population has learnt of them.

`ARRAYS` and `NUMBERS` are the law between `detector.learning`, which writes them into a population,
and the features, which read them. A missing name makes the readings that need it unknown.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector.population import Population
from detector.query import Shape

ARRAYS: Final[dict[str, str]] = {
    "offset": "f4[D] subtracted from an input; images: the same for all pixels",
    "scale": "f4[D] multiplied then; images: 1/range, tables: 1/sd of numeric columns, 1/range of binary ones",
    "coords": "i4[C] which raw coordinates are kept, C <= 64; numeric columns of a table first",
    "coord_scale": "f4[C] multiplied to (input - offset) of those coordinates; 1 = raw",
    "numeric": "b1[D] tables: which columns are numeric",
    "levels": "f4[...] tables: sorted values of the discrete columns, one run a column",
    "levels_start": "i4[D+1] where each column's run begins in `levels`; an empty run: not discrete",
    "pca_mean": "f4[U] mean of the coarse view",
    "pca": "f4[U, P] orthonormal principal axes of the coarse view",
    "net_in": "f4[U, H] the surrogate's first layer, of the coarse view; ReLU follows",
    "net_in_bias": "f4[H]",
    "net_out": "f4[H, K] its second layer: log-odds of each label",
    "net_out_bias": "f4[K]",
    "labels": "i8[K] label of each column of the second layer, ascending",
    "cells": "f4[M, P] centres of the input-space cells, M <= 256",
    "trees_column": "i4[T, N] boosted trees that tell foreign inputs: see `trees.Trees`",
    "trees_threshold": "f4[T, N]",
    "trees_left": "i4[T, N]",
    "trees_right": "i4[T, N]",
    "trees_value": "f4[T, N]",
    "rows": "f4[N, R] window rows of the population, in the order in which HalfSpaceTrees learns them",
    "odd_column": "i2[T, Q] half-space trees: the column of `rows` that a question is about; grown anew where absent",
    "odd_threshold": "f8[T, Q] less than it goes to the first child",
    "reservoir_ux": "f4[N, P] ordinary queries on which leakage is tested",
    "reservoir_label": "i8[N] the model's own answers to them",
    "leakage_map": "f4[Q, 2] share of them that a client's cheap copy labels alike -> that a neural network would",
    "leakage_curve": "f4[L, 2] ordinary queries -> share that a neural network taught by so many labels alike",
}
NEAR: Final = 0.4  # the radius `r` as a share of the median distance to the nearest of 128 queries of others
NUMBERS: Final[dict[str, str]] = {
    "r": "near-pair radius in z",
    "udist": "median distance of random pairs in the first 24 principal axes",
    "con": "median contrast",
    "sm05": "5 % quantile of the surrogate's margin for the answered label",
    "sm02": "2 % quantile of it",
    "dc75": "75 % quantile of the distance to the nearest cell",
    "dc97": "97 % quantile of it",
    "dc997": "99.7 % quantile of it",
    "res75": "75 % quantile of the residual outside the principal axes",
    "res97": "97 % quantile of it",
    "res997": "99.7 % quantile of it",
    "tex99": "99 % quantile of texture",
    "tex998": "1.1 x 99.8 % quantile of texture",
    "m05": "5 % quantile of the margin",
    "m015": "1.5 % quantile of it",
    "for96": "96 % quantile of what the trees say of ordinary inputs and their virtual copies",
    "for995": "99.5 % quantile of it",
    "label_entropy02": "2 % quantile of windows' label entropy",
    "label_entropy98": "98 % quantile of it",
    "cell_entropy02": "2 % quantile of windows' cell entropy",
    "cell_entropy98": "98 % quantile of it",
    "odd98": "98 % quantile of windows' novelty; learnt from `rows` where absent",
    "odd998": "99.8 % quantile of it",
}

SKETCH: Final = 48  # dimensions of z: midpoints and distances survive, bytes stay small
COORDS: Final = 64  # raw coordinates kept of an input
SCENE: Final = 24  # principal axes on which the same scene is looked for
AXES: Final = 32  # principal axes at most
COLUMNS: Final = 256  # a wider table is folded to this many columns
SIDE_MIN: Final = 6  # a smaller grid of numbers is no image
INPUT_MAX: Final = 1 << 18  # numbers in an input (1 MiB of float32); above, only input-free signals speak
CHANNELS: Final = frozenset({1, 3, 4})

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layout:
    """What an input's shape says: an image of height x width x channels, or a vector of `size` numbers."""

    size: int
    image: bool
    height: int = 0
    width: int = 0
    channels: int = 0
    channels_first: bool = False

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the coarse view of an image.

        A fourth of each side (4x4 blocks), held within 4 and 8: an 8x8 image pooled by 4 would leave four
        numbers, too few to tell scenes apart, so it is pooled by 2 (16 cells); a side of 224 pooled by 4 would
        leave 56 and with them the sensor noise that the coarse view is there to remove.
        """
        return min(max(self.height // 4, 4), 8), min(max(self.width // 4, 4), 8)

    @property
    def coarse(self) -> int:
        """Numbers in the coarse view u."""
        rows, columns = self.cells
        return rows * columns * self.channels if self.image else min(self.size, COLUMNS)


def layout(shape: Shape) -> Layout:
    """Tell an image from a vector: two axes, or three with 1, 3 or 4 channels, and sides of at least 6."""
    size = math.prod(shape)
    match shape:
        case (height, width) if min(shape) >= SIDE_MIN:
            return Layout(size, True, height, width, 1)
        case (height, width, channels) if channels in CHANNELS and min(height, width) >= SIDE_MIN:
            return Layout(size, True, height, width, channels)
        case (channels, height, width) if channels in CHANNELS and min(height, width) >= SIDE_MIN:
            return Layout(size, True, height, width, channels, channels_first=True)
    return Layout(size, False)


def components(width: int) -> int:
    """Return how many principal axes a coarse view of `width` numbers gets: three fourths of it, 32 at most.

    Some of the width is left over on purpose: the residual outside the axes is a reading of its own.
    """
    return max(1, min(AXES, width * 3 // 4))


def _generator(purpose: str, model: str, size: int) -> np.random.Generator:
    """Return a generator that only the purpose, the model's name and the input's size decide."""
    digest = hashlib.blake2b(f"{model}\0{size}".encode(), digest_size=16, key=purpose.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


@lru_cache(maxsize=8)  # a process serves few models; a projection is at most 50 MB
def projection(model: str, size: int) -> Floats:
    """Return the Gaussian projection f4[size, 48] behind z (Johnson-Lindenstrauss: distances are kept)."""
    gaussian = _generator("projection", model, size).standard_normal((size, SKETCH), np.float32)
    return gaussian / np.float32(math.sqrt(SKETCH))


def coordinates(model: str, numeric: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Return up to 64 coordinates of an input, numeric columns first; `numeric` is all True for images."""
    order = _generator("coordinates", model, len(numeric)).permutation(len(numeric))
    first = order[numeric[order]][:COORDS]
    rest = order[~numeric[order]][: COORDS - len(first)]
    return np.concatenate([np.sort(first), np.sort(rest)]).astype(np.int32)


def folding(model: str, size: int) -> tuple[npt.NDArray[np.int32], Floats]:
    """Return for each column of a wide table the folded column i4[size] and its sign f4[size] (count sketch)."""
    if size <= COLUMNS:
        return np.arange(size, dtype=np.int32), np.ones(size, np.float32)
    generator = _generator("folding", model, size)
    bucket = generator.integers(0, COLUMNS, size, dtype=np.int32)
    return bucket, generator.choice(np.array([-1, 1], np.float32), size)


def array(population: Population, name: str, dtype: Any, default: Any = None) -> npt.NDArray[Any]:
    """Return a writable, contiguous copy of the population's array, or of `default` where it has none.

    A copy, because numba compiles a loop once more for read-only arrays.
    """
    held = population.arrays.get(name, default)
    return np.array([] if held is None else held, dtype=dtype, order="C")


def number(population: Population, name: str) -> float:
    """Return the population's number, or NaN where it has none: what is compared with it is then unknown."""
    return float(population.numbers.get(name, math.nan))
