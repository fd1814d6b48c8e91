"""Fitting: what distances, axes, cells and the surrogate are for this model (stage B of the geometry)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from detector import features, geometry
from detector.learning import kinds, surrogate
from detector.learning.past import generator, seed
from detector.population import Population

CELLS: Final = 256
ROWS_PER_CELL: Final = 8  # fewer rows a cell would place cells on single queries
HELD_OUT: Final = 4  # one client in so many, and one copy, sets the surrogate's thresholds without teaching it
NEIGHBOURS: Final = 128  # queries of others among which the nearest is looked for
PAIRS: Final = 4_000
TEXTURE_ROOM: Final = 1.1

Floats = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Training:
    """Queries that train the geometry, one row each. Virtual copies have a client of -1 and no margin."""

    z: Floats  # [n, 48]
    u: Floats  # [n, U]
    con: Floats  # [n]
    tex: Floats  # [n]
    label: npt.NDArray[np.int64]  # [n]
    margin: Floats  # [n] its upper end; NaN unknown
    client: npt.NDArray[np.int64]  # [n]
    kind: npt.NDArray[np.int64]  # [n]

    @property
    def weight(self) -> Weights:
        """Weights f8[n] of mean 1 by which every kind counts the same."""
        counts = np.bincount(self.kind)
        return len(self.kind) / (np.count_nonzero(counts) * counts[self.kind].astype(np.float64))


def pooled(parts: Sequence[Training]) -> Training:
    """Return the parts as one."""
    return Training(*(np.concatenate([getattr(part, name) for part in parts]) for name in Training.__slots__))


def fit(population: Population, rows: Training) -> tuple[dict[str, npt.NDArray[Any]], dict[str, float]]:
    """Return the arrays and numbers of stage B (see `geometry.ARRAYS` and `geometry.NUMBERS`).

    `population` holds stage A.
    """
    model, weight = population.model, rows.weight
    mean, axes = principal(rows.u, weight)
    ux, res = features.reduce(rows.u, mean, axes)
    centres, _ = kinds.centres_of(ux, max(1, min(CELLS, len(ux) // ROWS_PER_CELL)), seed("cells", model))
    arrays: dict[str, npt.NDArray[Any]] = {"pca_mean": mean, "pca": axes}
    arrays["cells"] = centres.astype(np.float32)
    seen = {"dc": _nearest(ux, arrays["cells"]), "res": res, "tex": rows.tex, "m": rows.margin}
    held_out = np.where(rows.client < 0, np.arange(len(ux)), rows.client) % HELD_OUT == 0
    teaching = np.where(held_out, -1, rows.label)
    arrays |= surrogate.fit(model, rows.u, teaching, weight)
    glass = features.lens(replace(population, arrays={**population.arrays, **arrays}))
    if glass is not None:
        seen["sm"] = np.where(held_out, features.doubt(glass, rows.u, rows.label), np.float32(np.nan))
    numbers = _radii(model, rows, ux)
    for name, (column, share) in QUANTILES.items():
        numbers |= _quantile(name, seen.get(column), weight, share)
    if "tex998" in numbers:
        numbers["tex998"] *= TEXTURE_ROOM
    return arrays, numbers


QUANTILES: Final = {
    "sm05": ("sm", 0.05),
    "sm02": ("sm", 0.02),
    "dc75": ("dc", 0.75),
    "dc97": ("dc", 0.97),
    "dc997": ("dc", 0.997),
    "res75": ("res", 0.75),
    "res97": ("res", 0.97),
    "res997": ("res", 0.997),
    "tex99": ("tex", 0.99),
    "tex998": ("tex", 0.998),
    "m05": ("m", 0.05),
    "m015": ("m", 0.015),
}


def principal(u: Floats, weight: Weights) -> tuple[Floats, Floats]:
    """Return mean f4[U] and principal axes f4[U, P] of a coarse view, each axis with a fixed sign."""
    mean = np.average(u.astype(np.float64), axis=0, weights=weight)
    centred = u - mean
    _, vectors = np.linalg.eigh((centred * weight[:, None]).T @ centred / weight.sum())
    axes = vectors[:, ::-1][:, : geometry.components(u.shape[1])]
    largest = np.abs(axes).argmax(0)
    axes = axes * np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1, 1)
    return mean.astype(np.float32), axes.astype(np.float32)


def weighted_quantile(values: npt.NDArray[Any], weight: Weights, share: float) -> float:
    """Return the smallest value below or at which lies at least `share` of the weight."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    return float(values[order][min(np.searchsorted(total, share * total[-1]), len(values) - 1)])


def _quantile(name: str, values: Floats | None, weight: Weights, share: float) -> dict[str, float]:
    known = np.zeros(0, np.bool_) if values is None else np.isfinite(values)
    if values is None or not known.any():
        return {}
    return {name: weighted_quantile(values[known], weight[known], share)}


def _nearest(ux: Floats, centres: Floats) -> Floats:
    blocks = [cdist(ux[at : at + PAIRS], centres).min(1) for at in range(0, len(ux), PAIRS)]
    return np.concatenate(blocks).astype(np.float32)


def _radii(model: str, rows: Training, ux: Floats) -> dict[str, float]:
    """Return what is near: r in z, udist in ux, and the median contrast; only those that are not 0."""
    rng = generator("radii", model)
    real = np.flatnonzero(rows.client >= 0)
    asked = rng.permutation(real)[:PAIRS]
    others = rng.permutation(real)[:NEIGHBOURS]
    apart = cdist(rows.z[asked], rows.z[others])
    same = rows.client[asked][:, None] == rows.client[others]
    if same.all():  # one client alone: its own other queries must do
        same = asked[:, None] == others
    nearest = np.where(same, np.inf, apart).min(1)
    nearest = nearest[np.isfinite(nearest)]
    one, two = rng.permutation(real)[:PAIRS], rng.permutation(real)[:PAIRS]
    scene = np.linalg.norm(ux[one, : geometry.SCENE] - ux[two, : geometry.SCENE], axis=1)[one != two]
    found = {
        "r": geometry.NEAR * float(np.median(nearest)) if len(nearest) else 0.0,
        "udist": float(np.median(scene)) if len(scene) else 0.0,
        "con": float(np.median(rows.con[real])),
    }
    return {name: value for name, value in found.items() if value > 0}
