"""Brackets: whether a query lies between two others with different answers, as in a search for the boundary."""

from typing import Any, Final

import numpy as np

from detector.compiled import lean
from detector.search import BLOCK

OPPOSITE: Final = -0.99  # cosine of the two directions from the query to the ends
SHORT: Final = np.float32(3.0 * (1.0 + OPPOSITE))  # half as much again as by OPPOSITE: rounding is far below that
WITHIN: Final = (0.1, 0.9)  # of the way between the ends
HALFWAY: Final = 0.5
MIDDLE: Final = 0.03  # to either side of the midpoint
APART: Final = 0.12  # share of raw coordinates in which the ends must differ
APART_MIN: Final = 3  # of them at least: a what-if analysis varies one or two columns
NEAREST: Final = 6  # remembered queries among which the ends are looked for: a midpoint lies nearest to its own ends
NOBODY: Final = (-1, -1, np.nan)


@lean
def on_line(one: float, other: float, apart: float) -> bool:
    """Tell whether the query sees the ends in opposite directions, from the three squared distances."""
    beyond = one + other - apart
    if not beyond < 0:  # most pairs: no root need be taken
        return False
    lengths = np.sqrt(one) * np.sqrt(other)
    return bool(lengths > 0 and beyond < 2.0 * OPPOSITE * lengths)


@lean
def differ(one: Any, other: Any, coords: int) -> bool:
    """Tell whether the ends i2[64] differ in so many raw coordinates that the way between them is no what-if."""
    differing = 0
    for place in range(coords):
        differing += one[place] != other[place]
    return bool(differing >= max(APART * coords, APART_MIN))


@lean
def bracket(held: Any, coords: int, query: Any, nearest: Any) -> tuple[int, int, float]:
    """Return the places of the two ends halfway between which the query lies, and how far along; (-1, -1, NaN): none.

    `held`: z f4[b, 48, 16], c i2[16 b, 64] and labels i8[16 b] of the remembered queries; `query`: its own z f4[48] and
    f4[k] the squared distances to them, of which there are k. `nearest` i8[NEAREST] is room to work in.
    """
    (z, c, labels), (own, far) = held, query
    _find_nearest(far, nearest)
    for first in range(NEAREST):
        for second in range(first):
            one, other = nearest[first], nearest[second]
            if one < 0 or other < 0 or labels[one] < 0 or labels[other] < 0 or labels[one] == labels[other]:
                continue
            part = np.sqrt(far[one]) / max(np.sqrt(far[one]) + np.sqrt(far[other]), 1e-12)
            if abs(part - HALFWAY) > MIDDLE or _aside(z, own, (one, other), far):
                continue
            if not on_line(far[one], far[other], _apart(z, one, other)):
                continue
            if differ(c[one], c[other], coords):
                return one, other, part
    return NOBODY


@lean
def _find_nearest(far: Any, nearest: Any) -> None:
    """Write the places of the nearest remembered queries, nearest first, of equals the first; -1: there are fewer."""
    nearest[:] = -1
    last, furthest = nearest.shape[0] - 1, np.float32(np.inf)
    for place in range(far.shape[0]):
        if nearest[last] >= 0 and far[place] >= furthest:
            continue
        at = last
        while at > 0 and (nearest[at - 1] < 0 or far[place] < far[nearest[at - 1]]):
            nearest[at] = nearest[at - 1]
            at -= 1
        nearest[at] = place
        furthest = far[nearest[last]] if nearest[last] >= 0 else np.float32(np.inf)


@lean
def _aside(z: Any, own: Any, ends: tuple[int, int], far: Any) -> bool:
    """Tell early, and for sure, that the ends lie in no opposite directions; most pairs are told after two axes.

    Of opposite ways a and b the sum a + b |a|/|b| is short: its square is 2 (1 + cos) |a|^2, and grows axis by axis.
    """
    one, other = ends
    scale, most, square = np.sqrt(far[one] / far[other]), SHORT * far[one], np.float32(0)
    first, second = z[one // BLOCK, :, one % BLOCK], z[other // BLOCK, :, other % BLOCK]
    for axis in range(own.shape[0]):
        way = (first[axis] - own[axis]) + scale * (second[axis] - own[axis])
        square += way * way
        if square > most:
            return True
    return False


@lean
def _apart(z: Any, one: int, other: int) -> float:
    first, second = z[one // BLOCK, :, one % BLOCK], z[other // BLOCK, :, other % BLOCK]
    square = np.float32(0)
    for axis in range(first.shape[0]):
        way = first[axis] - second[axis]
        square += way * way
    return float(square)
