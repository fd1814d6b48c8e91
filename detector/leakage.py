"""Leakage: how much of the model a client has learnt so far, estimated from all of its queries at a fixed cost.

For each of up to 1,024 ordinary queries of the population (the *points*) the client's slot holds the answer that the
client got nearest to it: a nearest-neighbour copy of the model, tested on the model's own answers. It is exact, needs
no training, grows with every query and takes 4 kB. The share of points that this copy labels as the model does leads,
by a monotone map learnt with the population, to what a thief's neural network trained on the same queries would reach.
Agreement on the client's own next answers would say how repetitive it is, not what it knows.

Source: Cover and Hart 1967 (nearest neighbours); fidelity as in Jagielski et al. 2020; the map is ours.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import memory
from detector.compiled import compiled, squares
from detector.policy import Policy
from detector.population import Population
from detector.signals.base import Columns, Field

POINTS: Final = 1_024  # the figure's own error is then 0.016 at most, and a slot grows by 4 kB
POINTS_MIN: Final = 100  # below, that error is above 0.05
NEAR: Final = 64  # points that a query is compared with, those nearest to its cell
FIRST: Final = 32  # effective queries that are compared with all points: later ones seldom are nearest far away
KNOWN_MIN: Final = 8  # answered queries, below which nothing can be said
LIVES: Final = 4  # times the longest life seen: what no ordinary client of the past came near
SHARE: Final = 0.8  # of what heavy honest use teaches: the least default budget
OTHER: Final = 65_535  # an answer that no point has
FIELDS: Final = (
    Field("closeness", "u2", (POINTS,)),  # of the nearest answered query, see `_closeness`; 0: none
    Field("said", "u2", (POINTS,)),  # its answer as 1 + place in `Points.labels`, or OTHER
    Field("learnt", "i8"),  # effective queries with an input and a label
    Field("answered", "i8"),  # those and their repeats
    Field("blind", "i8"),  # answered queries whose input is not in the record
)


class Points(NamedTuple):
    """The population's points, laid out for the loop. [p] points, [m] cells, [k] = min(NEAR, p)."""

    axes: npt.NDArray[np.float32]  # [24, p]
    answer: npt.NDArray[np.uint16]  # [p] the model's answer as 1 + place in `labels`
    labels: npt.NDArray[np.int64]  # ascending
    near: npt.NDArray[np.int64]  # [m, k] the points nearest to each cell
    near_axes: npt.NDArray[np.float32]  # [m, 24, k]
    square: float  # of the distance at which closeness is halved


class Seen(NamedTuple):
    """The scored queries that come in, [n] rows in stream order."""

    slot: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]  # -1: unknown
    has_input: npt.NDArray[np.bool_]
    repeat: npt.NDArray[np.bool_]
    ux: npt.NDArray[np.float32]  # [n, 24]
    cell: npt.NDArray[np.int32]  # -1: none
    closing: npt.NDArray[np.int64]  # which window the query closes; -1: none


class Known(NamedTuple):
    """What is known of clients at some moment: [m] clients or closed windows."""

    agreed: npt.NDArray[np.int64]  # points that the client's copy labels as the model does
    answered: npt.NDArray[np.int64]
    blind: npt.NDArray[np.int64]


class _Held(NamedTuple):
    """The columns of FIELDS."""

    closeness: Any
    said: Any
    learnt: Any
    answered: Any
    blind: Any


def points(population: Population) -> Points | None:
    """Return the points of a population; None where it has too few, or does not know what is near."""
    ux, label = population.arrays.get("reservoir_ux"), population.arrays.get("reservoir_label")
    distance = float(population.numbers.get("udist", 0.0))
    if ux is None or label is None or len(label) < POINTS_MIN or not distance > 0:
        return None
    rows = np.linspace(0, len(label) - 1, min(POINTS, len(label))).astype(np.intp)
    cells = population.arrays.get("cells", np.zeros((0, ux.shape[1]), np.float32))
    return laid_out(memory.scene(ux[rows]), label[rows], memory.scene(cells), distance)


def laid_out(
    ux: npt.NDArray[np.float32], label: npt.NDArray[np.int64], cells: npt.NDArray[np.float32], distance: float
) -> Points:
    """Return points at ux f4[p, 24] with the model's answers i8[p], by cell f4[m, 24]; `distance` of random pairs."""
    apart = np.array([((ux - cell) ** 2).sum(1, dtype=np.float64) for cell in cells]).reshape(len(cells), len(ux))
    near = np.argsort(apart, axis=1, kind="stable")[:, :NEAR].astype(np.int64)
    labels, place = np.unique(label, return_inverse=True)
    by_cell = np.ascontiguousarray(ux[near].transpose(0, 2, 1))
    axes = np.ascontiguousarray(ux.T)
    return Points(axes, (place + 1).astype(np.uint16), labels.astype(np.int64), near, by_cell, distance**2)


def follow(columns: Columns, points: Points | None, seen: Seen) -> Known:
    """Add the queries to what their clients know; return what was known as each window closed."""
    windows = int(seen.closing.max(initial=-1)) + 1
    out = Known(*(np.zeros(windows, np.int64) for _ in Known._fields))
    if points is not None:
        _fold(_Held(*(columns[name] for name in _Held._fields)), points, seen, out)
    return out


def known(columns: Columns, points: Points | None, slot: int) -> Known:
    """Return what one client knows now."""
    out = Known(*(np.zeros(1, np.int64) for _ in Known._fields))
    if points is not None:
        _note(_Held(*(columns[name] for name in _Held._fields)), points, slot, out, 0)
    return out


def figures(population: Population, points: Points | None, found: Known) -> npt.NDArray[np.float64]:
    """Return the leakage f8[m], 0..1, to three places; NaN where nothing can be known.

    A population that could not learn the map gives the copy's own agreement, a lower bound. Queries whose
    input was not recorded count as so many ordinary ones: the most that they can have taught.
    """
    unknown = np.full(len(found.agreed), np.nan)
    if points is None:
        return unknown
    drawn = population.arrays.get("leakage_map", np.array([[0.0, 0.0], [1.0, 1.0]]))
    copied = np.interp(found.agreed / len(points.answer), drawn[:, 0], drawn[:, 1])
    copied = np.where(found.answered >= KNOWN_MIN, copied, np.nan)
    at_most = np.where(found.blind >= KNOWN_MIN, bound(population, found.blind), np.nan)
    return np.asarray(np.round(np.fmax(copied, at_most), 3), np.float64)


def bound(population: Population, queries: Any) -> Any:
    """Return how much so many ordinary queries teach, by the population's learning curve; NaN: it has none.

    It costs nothing and needs no input; beyond the curve's last point it stays at the last value.
    """
    curve = population.arrays.get("leakage_curve")
    if curve is None:
        return np.full(np.shape(queries), np.nan)
    return np.interp(np.log1p(queries), np.log1p(curve[:, 0]), curve[:, 1])


def budget(population: Population, policy: Policy) -> float:
    """Return the leakage at which a client has used up its budget; NaN: the population can't tell.

    The policy's share of what heavy honest use teaches (the curve's end). Without one: what four times the longest
    life of the past would teach, so that hardly an ordinary client gets there, and at least 0.8 of the curve's end.
    """
    end = float(bound(population, np.inf))
    if policy.leakage.budget is not None:
        return policy.leakage.budget * end
    return float(np.fmax(SHARE * end, bound(population, LIVES * population.oldest)))


@compiled
def _fold(held: _Held, points: Points, seen: Seen, out: Known) -> None:
    way = np.empty(points.axes.shape[1], np.float32)
    for row in range(seen.slot.shape[0]):
        slot = seen.slot[row]
        if seen.label[row] >= 0 and not seen.has_input[row]:
            held.blind[slot] += 1
        elif seen.label[row] >= 0:
            held.answered[slot] += 1
            if not seen.repeat[row]:
                _learn(held, points, seen, row, way)
                held.learnt[slot] += 1
        if seen.closing[row] >= 0:
            _note(held, points, slot, out, seen.closing[row])


@compiled
def _learn(held: _Held, points: Points, seen: Seen, row: int, way: Any) -> None:
    """Give the query's answer to the points to which no earlier query is as near."""
    slot, cell, query = seen.slot[row], seen.cell[row], seen.ux[row]
    said = _answer(points.labels, seen.label[row])
    if cell < 0 or held.learnt[slot] < FIRST:
        squares(points.axes, query, way)
        for point in range(way.shape[0]):
            _take(held, slot, point, _closeness(way[point], points.square), said)
        return
    near = points.near[cell]
    squares(points.near_axes[cell], query, way[: near.shape[0]])
    for place in range(near.shape[0]):
        _take(held, slot, near[place], _closeness(way[place], points.square), said)


@compiled
def _take(held: _Held, slot: int, point: int, closeness: int, said: int) -> None:
    if closeness > held.closeness[slot, point]:
        held.closeness[slot, point] = closeness
        held.said[slot, point] = said


@compiled
def _closeness(square: float, half: float) -> Any:
    """Return 1 (infinitely far) to 65,535 (the same place)."""
    return 1 + int(65_534.0 / (1.0 + np.float64(square) / half))


@compiled
def _answer(labels: Any, label: int) -> Any:
    place = np.searchsorted(labels, label)
    return place + 1 if place < labels.shape[0] and labels[place] == label else OTHER


@compiled
def _note(held: _Held, points: Points, slot: int, out: Known, at: int) -> None:
    agreed = 0
    for point in range(points.answer.shape[0]):
        agreed += held.said[slot, point] == points.answer[point]
    out.agreed[at], out.answered[at], out.blind[at] = agreed, held.answered[slot], held.blind[slot]
