"""Brackets: whether a query lies between two others with different answers, as in a search for the boundary."""

from typing import Any, Final

import numpy as np

from detector.compiled import compiled

OPPOSITE: Final = -0.99  # cosine of the two directions from the query to the ends
WITHIN: Final = (0.1, 0.9)  # of the way between the ends
HALFWAY: Final = 0.5
MIDDLE: Final = 0.03  # to either side of the midpoint
APART: Final = 0.12  # share of raw coordinates in which the ends must differ
APART_MIN: Final = 3  # of them at least: a what-if analysis varies one or two columns
NEAREST: Final = 6  # remembered queries among which the ends are looked for: a midpoint lies nearest to its own ends
NOBODY: Final = (-1, -1, np.nan)


@compiled
def on_line(one: float, other: float, apart: float) -> bool:
    """Tell whether the query sees the ends in opposite directions, from the three squared distances."""
    beyond = one + other - apart
    if not beyond < 0:  # most pairs: no root need be taken
        return False
    lengths = np.sqrt(one) * np.sqrt(other)
    return bool(lengths > 0 and beyond < 2.0 * OPPOSITE * lengths)


@compiled
def differ(one: Any, other: Any, coords: int) -> bool:
    """Tell whether the ends i2[64] differ in so many raw coordinates that the way between them is no what-if."""
    differing = 0
    for place in range(coords):
        differing += one[place] != other[place]
    return bool(differing >= max(APART * coords, APART_MIN))


@compiled
def bracket(held: Any, coords: int, far: Any) -> tuple[int, int, float]:
    """Return the places of the two ends halfway between which the query lies, and how far along; (-1, -1, NaN): none.

    `held`: z f4[48, k], c i2[k, 64], labels i8[k] and ordinals i8[k] of the remembered queries; `far` f4[k] the squared
    distances to them.
    """
    z, c, labels, ordinal = held
    nearest = _nearest(ordinal, far)
    for first in range(NEAREST):
        for second in range(first):
            one, other = nearest[first], nearest[second]
            if one < 0 or other < 0 or labels[one] < 0 or labels[other] < 0 or labels[one] == labels[other]:
                continue
            part = np.sqrt(far[one]) / max(np.sqrt(far[one]) + np.sqrt(far[other]), 1e-12)
            if abs(part - HALFWAY) > MIDDLE or not on_line(far[one], far[other], _apart(z, one, other)):
                continue
            if differ(c[one], c[other], coords):
                return one, other, part
    return NOBODY


@compiled
def _nearest(ordinal: Any, far: Any) -> Any:
    """Return the places of the nearest remembered queries, nearest first; -1 where there are fewer."""
    nearest = np.full(NEAREST, -1)
    for place in range(far.shape[0]):
        if ordinal[place] < 0:
            continue
        at, moving = 0, place
        while at < NEAREST:
            if nearest[at] < 0 or far[moving] < far[nearest[at]]:
                nearest[at], moving = moving, nearest[at]
            if moving < 0:
                break
            at += 1
    return nearest


@compiled
def _apart(z: Any, one: int, other: int) -> float:
    square = np.float32(0)
    for axis in range(z.shape[0]):
        way = z[axis, one] - z[axis, other]
        square += way * way
    return float(square)
