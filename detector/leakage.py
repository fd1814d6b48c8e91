"""Leakage: how much of the model a client has learnt so far, estimated from all of its queries at a fixed cost.

For each of up to 1,024 ordinary queries of the population (the *points*) the client's slot holds the answer that the
client got nearest to it: a nearest-neighbour copy of the model, tested on the model's own answers. It is exact, needs
no training, grows with every query and takes 4 kB. The share of points that this copy labels as the model does leads,
by a monotone map learnt with the population, to what a thief's neural network trained on the same queries would reach.
From varied answers far from ordinary inputs networks learn more than near neighbours do: a fifth of what is missing to
what as many ordinary queries teach is added for it (a tenth to three tenths serve as well, on MNIST and GTSRB alike).
Agreement on the client's own next answers would say how repetitive it is, not what it knows.

Source: Cover and Hart 1967 (nearest neighbours); fidelity as in Jagielski et al. 2020; the map is ours.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import memory
from detector.compiled import Order, inlined, lean, squares
from detector.once import once
from detector.policy import Policy
from detector.population import Population
from detector.signals.base import Columns, Field

POINTS: Final = 1_024  # the figure's own error is then 0.016 at most, and a slot grows by 4 kB
POINTS_MIN: Final = 100  # below, that error is above 0.05
NEAR: Final = 64  # points that a query is compared with, those nearest to its cell
FIRST: Final = 32  # effective queries that are compared with all points: later ones seldom are nearest far away
BEYOND: Final = 0.2  # of the way to what as many ordinary queries teach: what networks learn beyond near neighbours
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
    """The population's points, laid out for the loop. [p] points, [m] cells, [k] = min(NEAR, p), [a] <= 24 axes."""

    axes: npt.NDArray[np.float32]  # [a, p]
    answer: npt.NDArray[np.uint16]  # [p] the model's answer as 1 + place in `labels`
    varied: int  # ordered pairs of them that differ
    labels: npt.NDArray[np.int64]  # ascending
    near: npt.NDArray[np.uint16]  # [m, k] the points nearest to each cell
    near_axes: npt.NDArray[np.float32]  # [m, a, k]


class Seen(NamedTuple):
    """The scored queries that come in, [n] rows in stream order."""

    slot: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]  # -1: unknown
    has_input: npt.NDArray[np.bool_]
    repeat: npt.NDArray[np.bool_]
    ux: npt.NDArray[np.float32]  # [n, a]
    cell: npt.NDArray[np.int32]  # -1: none
    closing: npt.NDArray[np.int64]  # which window the query closes; -1: none
    order: Order  # client by client


class Known(NamedTuple):
    """What is known of clients at some moment: [m] clients or closed windows."""

    agreed: npt.NDArray[np.int64]  # points that the client's copy labels as the model does
    alike: npt.NDArray[np.int64]  # ordered pairs of points that it labels alike: all where one answer is all it knows
    learnt: npt.NDArray[np.int64]
    answered: npt.NDArray[np.int64]
    blind: npt.NDArray[np.int64]


class _Held(NamedTuple):
    """The columns of FIELDS."""

    closeness: Any
    said: Any
    learnt: Any
    answered: Any
    blind: Any


@once
def points(population: Population) -> Points | None:
    """Return the points of a population; None where it has too few."""
    ux, label = population.arrays.get("reservoir_ux"), population.arrays.get("reservoir_label")
    if ux is None or label is None or len(label) < POINTS_MIN:
        return None
    rows = np.linspace(0, len(label) - 1, min(POINTS, len(label))).astype(np.intp)
    cells = population.arrays.get("cells", np.zeros((0, ux.shape[1]), np.float32))
    return laid_out(memory.scene(ux[rows]), label[rows], memory.scene(cells))


def laid_out(ux: npt.NDArray[np.float32], label: npt.NDArray[np.int64], cells: npt.NDArray[np.float32]) -> Points:
    """Return points at ux f4[p, a] with the model's answers i8[p], by cell f4[m, a]."""
    apart = np.array([((ux - cell) ** 2).sum(1, dtype=np.float64) for cell in cells]).reshape(len(cells), len(ux))
    near = np.argsort(apart, axis=1, kind="stable")[:, :NEAR].astype(np.uint16)
    labels, place = np.unique(label, return_inverse=True)
    by_cell = np.ascontiguousarray(ux[near].transpose(0, 2, 1))
    axes = np.ascontiguousarray(ux.T)
    varied = len(place) ** 2 - int((np.bincount(place).astype(np.int64) ** 2).sum())
    return Points(axes, (place + 1).astype(np.uint16), varied, labels.astype(np.int64), near, by_cell)


def follow(columns: Columns, points: Points | None, seen: Seen, windows: int) -> Known:
    """Add the queries to what their clients know; return what was known as each of the windows closed."""
    out = Known(*np.zeros((len(Known._fields), windows), np.int64))
    if points is not None:
        _fold(_Held(*(columns[name] for name in _Held._fields)), points, seen, out, _room(points))
    return out


def known(columns: Columns, points: Points | None, slot: int) -> Known:
    """Return what one client knows now."""
    out = Known(*(np.zeros(1, np.int64) for _ in Known._fields))
    if points is not None:
        _note(_Held(*(columns[name] for name in _Held._fields)), points, (slot, 0), out, _room(points).counts)
    return out


def figures(population: Population, points: Points | None, found: Known) -> npt.NDArray[np.float64]:
    """Return the leakage f8[m], 0..1, to three places; NaN where nothing can be known.

    A population that could not learn the map gives the copy's own agreement, a lower bound. Queries whose
    input was not recorded count as so many ordinary ones: the most that they can have taught.
    """
    if points is None or len(found.agreed) == 0:
        return np.full(len(found.agreed), np.nan)
    share, reached = _drawn(population)
    copied = np.interp(found.agreed / len(points.answer), share, reached)
    further = np.fmax(bound(population, found.learnt) - copied, 0)
    copied += BEYOND * np.minimum(_variety(points, found.alike), 1) * further
    copied[found.answered < KNOWN_MIN] = np.nan
    blind = found.blind >= KNOWN_MIN
    if blind.any():  # as few are
        copied = np.fmax(copied, np.where(blind, bound(population, found.blind), np.nan))
    return np.asarray(copied.round(3), np.float64)


@once
def _drawn(population: Population) -> npt.NDArray[np.float64]:
    """Return the map from the share of points that a copy labels alike to what a network would, f8[2, k]."""
    drawn = population.arrays.get("leakage_map", np.array([[0.0, 0.0], [1.0, 1.0]]))
    return np.ascontiguousarray(drawn.T, np.float64)


def _variety(points: Points, alike: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return how varied answers at the points are, against the model's own: 0 for one answer only."""
    return (len(points.answer) ** 2 - alike) / max(points.varied, 1)


def bound(population: Population, queries: Any) -> Any:
    """Return how much so many ordinary queries teach, by the population's learning curve; NaN: it has none.

    It costs nothing and needs no input; beyond the curve's last point it stays at the last value.
    """
    curve = _curve(population)
    if curve is None:
        return np.full(np.shape(queries), np.nan)
    return np.interp(np.log1p(queries), curve[0], curve[1])


@once
def _curve(population: Population) -> npt.NDArray[np.float64] | None:
    """Return the learning curve over the log of 1 + queries, f8[2, k]."""
    curve = population.arrays.get("leakage_curve")
    return None if curve is None else np.array([np.log1p(curve[:, 0]), curve[:, 1]], np.float64)


def budget(population: Population, policy: Policy) -> float:
    """Return the leakage at which a client has used up its budget; NaN: the population can't tell.

    The policy's share of what heavy honest use teaches (the curve's end). Without one: what four times the longest
    life of the past would teach, so that hardly an ordinary client gets there, and at least 0.8 of the curve's end.
    """
    end = float(bound(population, np.inf))
    if policy.leakage.budget is not None:
        return policy.leakage.budget * end
    return float(np.fmax(SHARE * end, bound(population, LIVES * population.oldest)))


class _Room(NamedTuple):
    """Room to work in."""

    way: npt.NDArray[np.float32]  # [p] squared distances
    bits: npt.NDArray[np.uint32]  # their bits
    counts: npt.NDArray[np.int64]  # of each answer; the first: none of the points' answers


def _room(points: Points) -> _Room:
    way = np.empty(points.axes.shape[1], np.float32)
    return _Room(way, way.view(np.uint32), np.empty(len(points.labels) + 1, np.int64))


@lean
def _fold(held: _Held, points: Points, seen: Seen, out: Known, room: _Room) -> None:
    for row in seen.order:
        slot = seen.slot[row]
        if seen.label[row] >= 0 and not seen.has_input[row]:
            held.blind[slot] += 1
        elif seen.label[row] >= 0:
            held.answered[slot] += 1
            if not seen.repeat[row]:
                _learn(held, points, (seen, row), (room.way, room.bits))
                held.learnt[slot] += 1
        if seen.closing[row] >= 0:
            _note(held, points, (slot, seen.closing[row]), out, room.counts)


@inlined
def _learn(held: _Held, points: Points, query_of: Any, room: Any) -> None:
    """Give the query's answer to the points to which no earlier query is as near."""
    (seen, row), (way, bits) = query_of, room
    slot, cell, query = seen.slot[row], seen.cell[row], seen.ux[row]
    closeness, said = held.closeness[slot], held.said[slot]
    answer = np.uint16(_answer(points.labels, seen.label[row]))
    if cell < 0 or held.learnt[slot] < FIRST:
        squares(points.axes, query, way)
        for point in range(way.shape[0]):
            found = _closeness(bits[point])
            nearer = found > closeness[point]  # both are written always: so the compiler may use vector instructions
            closeness[point] = found if nearer else closeness[point]
            said[point] = answer if nearer else said[point]
    else:
        near = points.near[cell]
        squares(points.near_axes[cell], query, way[: near.shape[0]])
        for place in range(near.shape[0]):
            found = _closeness(bits[place])
            if found > closeness[near[place]]:
                closeness[near[place]] = found
                said[near[place]] = answer


@lean
def _closeness(bits: Any) -> Any:
    """Return how close a squared distance f4, given as its bits, is: 255 for infinitely far, 65,535 for the same place.

    The bits of positive floats are in their order; the upper ones tell distances apart that differ by 0.2 %.
    """
    return np.uint16(np.uint32(65_535) - (bits >> np.uint32(15)))


@lean
def _answer(labels: Any, label: int) -> Any:
    place = np.searchsorted(labels, label)
    return place + 1 if place < labels.shape[0] and labels[place] == label else OTHER


@lean
def _note(held: _Held, points: Points, who: tuple[int, int], out: Known, counts: Any) -> None:
    (slot, at), agreed, alike = who, 0, 0
    counts[:] = 0
    for point in range(points.answer.shape[0]):
        said = held.said[slot, point]
        agreed += said == points.answer[point]
        counts[0 if said == OTHER else said] += 1
    for count in counts:
        alike += count * count
    out.agreed[at], out.alike[at] = agreed, alike
    out.learnt[at], out.answered[at], out.blind[at] = held.learnt[slot], held.answered[slot], held.blind[slot]
