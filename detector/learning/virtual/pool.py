"""Pool: the ordinary queries that virtual clients are made from, and the small tools that every kind uses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.geometry import Layout

CLIENTS: Final = 30  # virtual clients a kind
CLIENTS_FIRST: Final = 12  # in the first pass, which only looks for who must not teach
QUERIES: Final = 160  # queries of each
NUMBERS_MAX: Final = 1 << 25  # input numbers a kind (128 MiB of float32): large inputs get fewer clients
CLIENTS_MIN: Final = 8  # fewer say too little of a kind: such inputs get no virtual kinds

Floats: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pool:
    """Ordinary queries on one scale, one row each."""

    layout: Layout
    # [n, D] scaled: images 0..1 in f4, tables' numeric columns of mean 0 and sd 1 in f8, so that an unchanged
    # value comes back as it was and is not taken for one that never occurs
    inputs: npt.NDArray[Any]
    label: npt.NDArray[np.int64]  # [n] the model's own answers
    margin: Floats  # [n] NaN unknown
    cell: Rows  # [n] one of up to 32 places of the input space
    numeric: npt.NDArray[np.bool_]  # [D] tables: which columns are numeric

    def draw(self, rng: np.random.Generator, count: int = QUERIES) -> Rows:
        """Return random rows, each at most once where the pool has enough."""
        size = len(self.inputs)
        rows: Rows = rng.choice(size, count, replace=size < count).astype(np.intp)
        return rows

    def images(self, rows: Rows) -> Floats:
        """Return rows as images f4[n, H, W, C], a copy."""
        shape = self.layout
        if shape.channels_first:
            planes = self.inputs[rows].reshape(-1, shape.channels, shape.height, shape.width)
            return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        images: Floats = self.inputs[rows].reshape(-1, shape.height, shape.width, shape.channels)
        return images

    def flat(self, images: npt.NDArray[Any]) -> Floats:
        """Return images as rows f4[n, D], within 0..1."""
        if self.layout.channels_first:
            images = images.transpose(0, 3, 1, 2)
        rows: Floats = np.clip(images, 0, 1).reshape(len(images), -1).astype(np.float32)
        return rows


@dataclass(frozen=True, slots=True)
class Copies:
    """One virtual client's queries: whose copies they are, and what became of them."""

    parent: Rows  # [n] rows of the pool, whose answers they keep
    inputs: npt.NDArray[Any]  # [n, D] scaled, of the pool's dtype


Maker: TypeAlias = Callable[[Pool, np.random.Generator], Copies | None]


@dataclass(frozen=True, slots=True)
class VirtualKind:
    """A way in which ordinary clients differ from those seen. `make` returns None where the pool cannot do it."""

    name: str
    make: Maker
    safe: bool = False  # the copy deserves its parent's label: it may train the geometry
    real: bool = False  # the queries are unchanged: their margins are known


def runs(rng: np.random.Generator, low: int, high: int, total: int = QUERIES) -> list[int]:
    """Return run lengths from low to high that sum to `total`."""
    lengths: list[int] = []
    while sum(lengths) < total:
        lengths.append(int(rng.integers(low, high + 1)))
    lengths[-1] -= sum(lengths) - total
    return lengths
