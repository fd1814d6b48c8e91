"""Line: an input exactly between two recent ones with different answers: a search for the boundary on a line."""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from detector.compiled import compiled
from detector.geometry import COORDS, SKETCH
from detector.population import Population
from detector.signals.base import Batch, Columns, Counts, Event, Field, Flags, Signal, known, number

RAW: Final = 16  # latest queries, collapsed ones too: a bracket's ends are among them
OPPOSITE: Final = -0.99  # cosine of the two directions from the query to the ends
WITHIN: Final = (0.1, 0.9)  # of the way between the ends
MIDDLE: Final = 0.03  # to either side of the midpoint
NARROW: Final = 2.0  # radii between the ends
APART: Final = 0.12  # share of raw coordinates in which the ends must differ: not one column's what-if
SAME: Final = 1e-3  # radii within which the query is an old one
DIMENSIONS_MIN: Final = 4  # in fewer dimensions any three points may lie on a line


class _Ring(NamedTuple):
    z: Any  # [slots, 48, 16]
    c: Any  # [slots, 16, 64]
    label: Any  # [slots, 16]
    asked: Any  # [slots]


def _fold(batch: Batch, columns: Columns, population: Population) -> list[tuple[Flags, Flags]]:
    held = _Ring(columns["z"], columns["c"], columns["label"], columns["asked"])
    radius = np.float32(number(population, "r")) * batch.sc
    found = np.zeros((3, len(batch)), np.bool_)
    coords = len(population.arrays.get("coords", ()))
    _lines(held, (batch.slot, batch.has_input, batch.label, batch.z, batch.c), (radius, coords), found)
    wide = math.prod(population.shape) >= DIMENSIONS_MIN
    trial = batch.has_input & (batch.label >= 0) & known(batch.dmin) & wide & (batch.dmin > SAME * radius)
    return [(hit, trial) for hit in found]


@compiled
def _lines(held: Any, batch: Any, sizes: Any, found: Any) -> None:
    slots, has_input, labels, z, c = batch
    radius, coords = sizes
    for row in range(slots.shape[0]):
        slot = slots[row]
        if not has_input[row] or labels[row] < 0:
            continue
        known = min(held.asked[slot], RAW)
        if _differ(held.label[slot], known):
            _between(held, slot, z[row], (radius[row], coords, known), found[:, row])
        place = held.asked[slot] % RAW
        held.z[slot, :, place] = z[row]
        held.c[slot, place] = c[row]
        held.label[slot, place] = labels[row]
        held.asked[slot] += 1


@compiled
def _differ(labels: Any, known: int) -> bool:
    for place in range(1, known):
        if labels[place] != labels[0]:
            return True
    return False


@compiled
def _between(held: Any, slot: int, query: Any, sizes: Any, found: Any) -> None:
    """Look at all pairs of ends with different labels; the products of all pairs are summed axis by axis."""
    radius, coords, known = sizes
    gram = np.zeros((RAW, RAW), np.float32)
    for axis in range(SKETCH):
        way = held.z[slot, axis] - query[axis]
        for one in range(RAW):
            for other in range(RAW):
                gram[one, other] += way[one] * way[other]
    for one in range(known):
        for other in range(one):
            if held.label[slot, one] != held.label[slot, other]:
                _judge(gram, one, other, radius, found) if _on_line(gram, one, other) and _apart(
                    held.c[slot, one], held.c[slot, other], coords
                ) else None


@compiled
def _on_line(gram: Any, one: int, other: int) -> bool:
    norms = np.sqrt(gram[one, one]) * np.sqrt(gram[other, other])
    return norms > 0 and gram[one, other] < OPPOSITE * norms


@compiled
def _apart(one: Any, other: Any, coords: int) -> bool:
    differing = 0
    for place in range(coords):
        differing += one[place] != other[place]
    return differing >= APART * coords


@compiled
def _judge(gram: Any, one: int, other: int, radius: float, found: Any) -> None:
    near, far = np.sqrt(gram[one, one]), np.sqrt(gram[other, other])
    part = near / (near + far)
    if part < WITHIN[0] or part > WITHIN[1]:
        return
    found[0] = True
    found[1] = found[1] or near + far < NARROW * radius
    found[2] = found[2] or abs(part - 0.5) <= MIDDLE


_WORDS = (
    "lie on the line between two recent queries with different answers",
    "lie on the short line between two recent queries with different answers",
    "lie halfway between two recent queries with different answers: bisection",
)


def _because(counts: Counts) -> str:
    event = counts.strongest
    return f"{counts.share(event)} queries {_WORDS[event]} ({counts.ordinary(event)})"


SIGNAL = Signal(
    name="line",
    events=(
        Event("line", "line", "P", floor=0.30),
        Event("lineN", "line", "P", floor=0.10, strong=0.10),
        Event("lineM", "line", "P", floor=0.01, strong=0.03),
    ),
    fields=(
        Field("z", "f4", (SKETCH, RAW)),
        Field("c", "i2", (RAW, COORDS)),
        Field("label", "i8", (RAW,)),
        Field("asked", "i8"),
    ),
    fold=_fold,
    because=_because,
    source="Lowd and Meek 2005 (line search); Chen et al. 2020 (HopSkipJump) bisects so",
)
