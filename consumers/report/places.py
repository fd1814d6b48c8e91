"""Where a client's remembered queries lie among ordinary ones: the first two principal axes of the population.

The axes belong to the population alone, so two reports under one population can be laid side by side.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consumers.report.recalled import Recalled
from detector.population import Population

ORDINARY_MIN = 100  # fewer ordinary queries draw no region
HELD = 0.95  # share of ordinary queries within the region
DRAWN = 500  # ordinary queries that are drawn; the region is reckoned from all
FLAT = 1e-9  # variance under which an axis says nothing

Spots = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Region:
    """The ellipse that holds HELD of the ordinary queries."""

    centre: Spots  # [2]
    axes: Spots  # [2, 2] one half-axis a row
    _inverse: Spots  # [2, 2] plane -> circle of radius 1

    def holds(self, spots: Spots) -> npt.NDArray[np.bool_]:
        """Tell which of the spots f8[n, 2] lie within."""
        return np.asarray((((spots - self.centre) @ self._inverse) ** 2).sum(axis=1) <= 1.0, np.bool_)


@dataclass(frozen=True, slots=True)
class Places:
    """Spots on the plane. [m] ordinary queries, [n] of the client."""

    ordinary: Spots  # [m, 2]
    own: Spots  # [n, 2]
    region: Region

    @property
    def inside(self) -> float:
        """Share of the client's queries within the region."""
        return float(np.mean(self.region.holds(self.own))) if len(self.own) else 0.0


def places(recalled: Recalled, population: Population) -> Places | None:
    """Return where things lie; None where the client remembers nothing or the population holds too few queries."""
    held = population.arrays.get("reservoir_ux")
    if held is None or len(held) < ORDINARY_MIN or not len(recalled.called):
        return None
    ordinary = _plane(held)
    drawn = np.linspace(0, len(ordinary) - 1, min(DRAWN, len(ordinary))).astype(np.intp)
    return Places(ordinary[drawn], _plane(recalled.ux), _region(ordinary))


def _plane(ux: npt.NDArray[np.float32]) -> Spots:
    spots = np.zeros((len(ux), 2))
    spots[:, : min(2, ux.shape[1])] = ux[:, :2]
    return spots


def _region(ordinary: Spots) -> Region:
    centre = ordinary.mean(axis=0)
    variance, directions = np.linalg.eigh(np.cov(ordinary.T))
    spread = np.sqrt(np.maximum(variance, FLAT))
    circle = (ordinary - centre) @ (directions / spread)
    radius = max(float(np.quantile(np.sqrt((circle**2).sum(axis=1)), HELD)), FLAT)
    return Region(centre, (directions * spread * radius).T, directions / (spread * radius))
