"""Line: an input exactly between two others with different answers: a search for the boundary on a line.

The others are among the latest 16 queries, or nearest among those remembered: there a search that hides between
ordinary questions, or follows twenty lines in turn, finds its ends too. Halfway counts when one of the ends was such a
middle itself, since a search goes on from there. A tester who darkens picture after picture makes lone middles, each
between a bright one and a nearly black one.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from detector.brackets import HALFWAY, MIDDLE, WITHIN, differ, on_line
from detector.compiled import inlined, lean, put, squares
from detector.geometry import COORDS, SKETCH
from detector.names import NUMBER, WIDTH
from detector.once import once
from detector.population import Population
from detector.signals.base import Batch, Columns, Counts, Event, Field, Hit, Outcomes, Signal, Trace, known, number

RAW: Final = 16  # latest queries, collapsed ones too: a bracket's ends are among them
NARROW: Final = 2.0  # radii between the ends
SAME: Final = np.float32(1e-3)  # radii within which the query is an old one
DIMENSIONS_MIN: Final = 4  # in fewer dimensions any three points may lie on a line


class _Ring(NamedTuple):
    z: Any  # [slots, 48, 16]
    c: Any  # [slots, 16, 64]
    label: Any  # [slots, 16]
    apart: Any  # [slots, 16, 16] squared distances between them
    asked: Any  # [slots]
    name: Any  # [slots, 16, 5]
    middle: Any  # [slots, 16] it lay halfway between two others itself


class _Asked(NamedTuple):
    slot: Any
    has_input: Any
    label: Any
    z: Any
    c: Any
    sc: Any
    dmin: Any
    halfway: Any
    chained: Any
    name: Any


class _Scales(NamedTuple):
    r: Any
    coords: int
    wide: bool  # three points on a line mean something


@once
def _scales(population: Population) -> _Scales:
    coords, wide = len(population.arrays.get("coords", ())), math.prod(population.shape) >= DIMENSIONS_MIN
    return _Scales(np.float32(number(population, "r")), coords, wide)


def _fold(batch: Batch, columns: Columns, population: Population, out: Outcomes) -> None:
    held = _Ring(*(columns[name] for name in _Ring._fields))
    asked = _Asked(*(getattr(batch, name) for name in _Asked._fields))
    told = (out, batch.ends, batch.part)
    _lines(held, (batch.order, asked), _scales(population), told, np.zeros(RAW, np.float32))


@lean
def _lines(held: Any, batch: Any, scales: _Scales, found: Any, square: Any) -> None:
    """Look at client after client. Both ends that `memory` found and those among the latest queries count."""
    (order, asked), (out, ends, part) = batch, found
    for row in order:
        slot = asked.slot[row]
        if not asked.has_input[row] or asked.label[row] < 0:
            continue
        hit, trial = out.hit[row, out.first :], out.trial[row, out.first :]
        radius, remembered = scales.r * asked.sc[row], known(asked.halfway[row])
        squares(held.z[slot], asked.z[row], square)
        middle = _between(held, slot, square, (radius, scales.coords), (hit, ends[row], part[row : row + 1]))
        if remembered and np.isnan(part[row]):
            part[row] = HALFWAY
        hit[0] = hit[0] or remembered
        hit[2] = hit[2] or asked.chained[row]
        trial[:3] = scales.wide and asked.dmin[row] > SAME * radius
        _keep(held, asked, (row, middle or remembered), square)


@inlined
def _keep(held: Any, asked: Any, query: Any, square: Any) -> None:
    """Put the query in the place of the oldest of the latest ones."""
    row, middle = query
    slot = asked.slot[row]
    place = held.asked[slot] % RAW
    for axis in range(SKETCH):
        held.z[slot, axis, place] = asked.z[row, axis]
    put(held.c[slot, place], asked.c[row])
    held.label[slot, place] = asked.label[row]
    put(held.name[slot, place], asked.name[row])
    held.middle[slot, place] = middle
    put(held.apart[slot, place], square)
    put(held.apart[slot, :, place], square)
    held.asked[slot] += 1


@inlined
def _between(held: Any, slot: int, square: Any, sizes: Any, found: Any) -> bool:
    """Look at all pairs of ends with different labels; tell whether the query lies halfway between some."""
    radius, coords = sizes
    middle = False
    asked = min(held.asked[slot], RAW)
    for one in range(asked):
        for other in range(one):
            ends = held.label[slot, one] != held.label[slot, other]
            if ends and on_line(square[one], square[other], held.apart[slot, one, other]):
                near = (square[one], square[other], radius, coords)
                part = _judge(held.c[slot, one], held.c[slot, other], near, found[0])
                chained = held.middle[slot, one] or held.middle[slot, other]
                halfway = part >= 0 and abs(part - HALFWAY) <= MIDDLE
                middle = middle or halfway
                found[0][2] = found[0][2] or (halfway and chained)
                if part >= 0:
                    _tell(held.name[slot, one], held.name[slot, other], part, found)
    return middle


@inlined
def _tell(one: Any, other: Any, part: float, found: Any) -> None:
    """Write the ends between which the query lies nearest to halfway."""
    _, ends, best = found
    if np.isnan(best[0]) or abs(part - HALFWAY) < abs(best[0] - HALFWAY):
        put(ends[0], one)
        put(ends[1], other)
        best[0] = part


@lean
def _judge(one: Any, other: Any, sizes: Any, found: Any) -> float:
    """Return how far along from `one` to `other` the query lies, 0..1; -1 where this is no line."""
    square, square_other, radius, coords = sizes
    near, far = np.sqrt(square), np.sqrt(square_other)
    part = near / (near + far)
    if part < WITHIN[0] or part > WITHIN[1] or not differ(one, other, coords):
        return -1.0
    found[0] = True
    found[1] = found[1] or near + far < NARROW * radius
    return float(part)


_WORDS = (
    "lie on the line between two recent queries with different answers",
    "lie on the short line between two recent queries with different answers",
    "lie halfway between two queries with different answers: bisection",
)


def _because(counts: Counts) -> str:
    event = counts.strongest
    return f"{counts.share(event)} queries {_WORDS[event]} ({counts.ordinary(event)})"


def _trace(batch: Batch, _: Population) -> Trace:
    swapped = batch.ends[:, 0, NUMBER] > batch.ends[:, 1, NUMBER]
    first, last = batch.ends[:, 0], batch.ends[:, 1]
    earlier, later = np.where(swapped[:, None], (last, first), (first, last))
    part = np.where(swapped, 1 - batch.part, batch.part)
    return Trace(-abs(part - HALFWAY), [part], [earlier, later])


def _words(hit: Hit) -> str:
    part = hit.numbers[0]
    way = "halfway" if abs(part - HALFWAY) <= MIDDLE else f"{part:.0%} of the way"
    return f"lies {way} between {hit.partners[0]} and {hit.partners[1]}"


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
        Field("apart", "f4", (RAW, RAW)),
        Field("asked", "i8"),
        Field("name", "i8", (RAW, WIDTH)),
        Field("middle", "b1", (RAW,)),
    ),
    fold=_fold,
    because=_because,
    version=3,
    trace=_trace,
    words=_words,
    plain="It searches step by step for the exact point at which the model changes its mind.",
    source="Lowd and Meek 2005 (line search); Chen et al. 2020 (HopSkipJump) bisects so",
)
