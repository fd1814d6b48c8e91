"""Steps: the line of what holds from one point to the next."""

from collections.abc import Sequence
from itertools import pairwise

Spot = tuple[float, float]  # in user units


def steps(spots: Sequence[Spot], end: float) -> str:
    """Return a polyline's points through `spots`, from left to right, drawn on to `end`."""
    corners = [spots[0]]
    for (_, before), (x, y) in pairwise(spots):
        corners += [(x, before), (x, y)]
    last, held = spots[-1]
    corners.append((max(end, last), held))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
