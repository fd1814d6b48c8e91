"""A client's memory of its own queries: a ring of 64, and what a new query is to those in it.

The 32 latest effective queries and a reservoir of 32 older ones. A near repeat of a remembered query (a retry, a
health check, a film's next frame) is *collapsed*: it is counted, not remembered, and each remembered
query grants its repeats at most 3 further trials. The fold takes one query after the other.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.compiled import compiled, squares
from detector.features import Features
from detector.geometry import COORDS, SCENE, SKETCH
from detector.population import Population
from detector.signals.base import Columns, Field, number
from detector.steps import constant_step

RECENT: Final = 32
SLOTS: Final = 64  # with 32 alone JbDA is seen 50 queries later (measured)
GRANTS: Final = 3  # trials that one remembered query grants its repeats: an hour's film of one scene gives 3
REPEAT: Final = 0.2  # of the distance of random pairs in the coarse view: the same scene
PARENT: Final = 0.5  # of it: near enough to be a parent of synthetic queries
FIELDS: Final = (
    Field("z", "f4", (SKETCH, SLOTS)),  # slots last: the search runs over them side by side
    Field("ux", "f4", (SCENE, SLOTS)),
    Field("c", "i2", (SLOTS, COORDS)),
    Field("label", "i8", (SLOTS,)),
    Field("ordinal", "i8", (SLOTS,), -1),  # which effective query it was; -1: empty
    Field("granted", "i8", (SLOTS,)),
    Field("kept", "i8"),  # effective queries so far
)


class Ring(NamedTuple):
    """The columns of FIELDS, by name, and the clients' seeds."""

    z: npt.NDArray[np.float32]
    ux: npt.NDArray[np.float32]
    c: npt.NDArray[np.int16]
    label: npt.NDArray[np.int64]
    ordinal: npt.NDArray[np.int64]
    granted: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int64]
    seed: npt.NDArray[np.uint64]


class Asked(NamedTuple):
    """The queries that come in, [n] rows in stream order."""

    slot: npt.NDArray[np.int64]
    has_input: npt.NDArray[np.bool_]
    label: npt.NDArray[np.int64]
    z: npt.NDArray[np.float32]
    ux: npt.NDArray[np.float32]
    c: npt.NDArray[np.int16]
    sc: npt.NDArray[np.float32]


class Scales(NamedTuple):
    """What is near. NaN where the population does not know."""

    r: float
    udist: float
    coords: int  # raw coordinates in use
    numeric: int  # how many of the first ones are a table's numeric columns; 0 for images


class Relations(NamedTuple):
    """What each query is to its client's earlier ones; the fields are described in `signals.base.Batch`."""

    dflip: npt.NDArray[np.float32]
    dmin: npt.NDArray[np.float32]
    base: npt.NDArray[np.int64]
    base_same: npt.NDArray[np.bool_]
    step: npt.NDArray[np.float32]
    changed: npt.NDArray[np.float32]
    lattice: npt.NDArray[np.bool_]
    related: npt.NDArray[np.bool_]
    repeat: npt.NDArray[np.bool_]
    trial: npt.NDArray[np.bool_]
    fresh: npt.NDArray[np.bool_]


class Nearby(NamedTuple):
    """What the search of one query found: distances, and the ring slots they belong to (-1: none)."""

    dflip: float
    dsame: float
    dmin: float
    us: float
    ub: float
    anchor: int
    parent: int
    same: int  # nearest with the same label, in z or in the coarse view


def relate(columns: Columns, seed: npt.NDArray[Any], asked: Asked, scales: Scales) -> Relations:
    """Return what each query is to its client's earlier ones, and remember it."""
    ring = Ring(**{field.name: columns[field.name] for field in FIELDS}, seed=seed)
    count = len(asked.slot)
    relations = Relations(
        dflip=np.full(count, np.nan, np.float32),
        dmin=np.full(count, np.nan, np.float32),
        base=np.full(count, -1, np.int64),
        base_same=np.zeros(count, np.bool_),
        step=np.zeros((count, SKETCH), np.float32),
        changed=np.full(count, np.nan, np.float32),
        lattice=np.zeros(count, np.bool_),
        related=np.zeros(count, np.bool_),
        repeat=np.zeros(count, np.bool_),
        trial=np.zeros(count, np.bool_),
        fresh=np.zeros(count, np.bool_),
    )
    _fold(ring, asked, scales, relations)
    return relations


def asked(
    slot: npt.NDArray[np.int64], has_input: npt.NDArray[np.bool_], label: npt.NDArray[np.int64], features: Features
) -> Asked:
    """Return the queries as the fold takes them."""
    return Asked(slot, has_input, label, features.z, scene(features.ux), features.c, features.sc)


def scene(ux: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the first 24 principal axes, absent ones zero; f4[n, 24]."""
    out = np.zeros((len(ux), SCENE), np.float32)
    axes = min(SCENE, ux.shape[1])
    out[:, :axes] = ux[:, :axes]
    return out


def scales(population: Population) -> Scales:
    """Return what is near in this population."""
    coords = population.arrays.get("coords", np.empty(0))
    numeric = population.arrays.get("numeric")
    first = 0 if numeric is None else int(np.sum(numeric[coords]))
    return Scales(number(population, "r"), number(population, "udist"), len(coords), first)


@compiled
def _fold(ring: Ring, asked: Asked, scales: Scales, out: Relations) -> None:
    for row in range(asked.slot.shape[0]):
        if asked.has_input[row]:
            _take(ring, asked, scales, out, row)


@compiled
def _take(ring: Ring, asked: Asked, scales: Scales, out: Relations, row: int) -> None:
    slot = asked.slot[row]
    near = _search(ring, asked, row)
    radius = scales.r * asked.sc[row]
    out.dflip[row] = near.dflip
    out.dmin[row] = near.dmin
    if near.anchor >= 0:
        _step(ring, (asked, row), scales.coords, out, near.anchor)
        out.related[row] = near.ub < PARENT * scales.udist
    if out.related[row]:
        parent = ring.c[slot, near.parent]
        out.lattice[row] = constant_step(asked.c[row], parent, scales.coords, scales.numeric)
    repeat = (near.dsame < radius or near.us < REPEAT * scales.udist) and not out.lattice[row]
    out.repeat[row] = repeat
    out.trial[row] = not repeat
    out.fresh[row] = not repeat and not (near.dmin < radius or near.ub < REPEAT * scales.udist)
    if not repeat:
        _remember(ring, asked, row)
    elif ring.granted[slot, near.same] < GRANTS:
        ring.granted[slot, near.same] += 1
        out.trial[row] = True


@compiled
def _search(ring: Ring, asked: Asked, row: int) -> Nearby:
    """Measure the way to all 64 at once, dimension by dimension: each slot's sum has one order."""
    slot = asked.slot[row]
    far, scene = np.empty(SLOTS, np.float32), np.empty(SLOTS, np.float32)
    squares(ring.z[slot], asked.z[row], far)
    squares(ring.ux[slot], asked.ux[row], scene)
    return _nearest(ring.ordinal[slot], ring.label[slot], asked.label[row], far, scene)


@compiled
def _nearest(ordinal: Any, labels: Any, label: int, far: Any, scene: Any) -> Nearby:
    flip, same, scene_same, anchor, parent = -1, -1, -1, -1, -1
    for place in range(SLOTS):
        if ordinal[place] < 0:
            continue
        anchor = _closer(far, place, anchor)
        parent = _closer(scene, place, parent)
        if labels[place] == label:
            same = _closer(far, place, same)
            scene_same = _closer(scene, place, scene_same)
        elif label >= 0 and labels[place] >= 0:
            flip = _closer(far, place, flip)
    closest = scene_same
    if same >= 0 and far[same] <= scene[scene_same]:
        closest = same
    return Nearby(
        dflip=_root(far, flip),
        dsame=_root(far, same),
        dmin=_root(far, anchor),
        us=_root(scene, scene_same),
        ub=_root(scene, parent),
        anchor=anchor,
        parent=parent,
        same=closest,
    )


@compiled
def _closer(square: Any, place: int, best: int) -> int:
    return place if best < 0 or square[place] < square[best] else best


@compiled
def _root(square: Any, place: int) -> float:
    return np.float64(np.sqrt(square[place])) if place >= 0 else np.inf


@compiled
def _step(ring: Ring, query: Any, coords: int, out: Relations, anchor: int) -> None:
    """Write what the query is to its nearest neighbour, the base of a step."""
    asked, row = query
    slot = asked.slot[row]
    out.base[row] = ring.ordinal[slot, anchor]
    out.base_same[row] = ring.label[slot, anchor] == asked.label[row]
    changed = 0
    for place in range(coords):
        changed += asked.c[row, place] != ring.c[slot, anchor, place]
    out.changed[row] = changed / max(coords, 1)
    for axis in range(SKETCH):
        out.step[row, axis] = asked.z[row, axis] - ring.z[slot, axis, anchor]


@compiled
def _remember(ring: Ring, asked: Asked, row: int) -> None:
    """Put the query in place of the oldest recent one, which may move to the reservoir."""
    slot = asked.slot[row]
    kept = ring.kept[slot]
    place = kept % RECENT
    if kept >= RECENT:
        _retire(ring, slot, place, kept - RECENT)
    for axis in range(SKETCH):
        ring.z[slot, axis, place] = asked.z[row, axis]
    for axis in range(SCENE):
        ring.ux[slot, axis, place] = asked.ux[row, axis]
    ring.c[slot, place] = asked.c[row]
    ring.label[slot, place] = asked.label[row]
    ring.ordinal[slot, place] = kept
    ring.granted[slot, place] = 0
    ring.kept[slot] = kept + 1


@compiled
def _retire(ring: Ring, slot: int, place: int, retired: int) -> None:
    """Keep a uniform sample of the retired (Vitter's algorithm R); chance comes from the client and its count."""
    to = retired
    if retired >= SLOTS - RECENT:
        to = _drawn(ring.seed[slot], retired)
    if to >= SLOTS - RECENT:
        return
    to += RECENT
    ring.z[slot, :, to] = ring.z[slot, :, place]
    ring.ux[slot, :, to] = ring.ux[slot, :, place]
    ring.c[slot, to] = ring.c[slot, place]
    ring.label[slot, to] = ring.label[slot, place]
    ring.ordinal[slot, to] = ring.ordinal[slot, place]
    ring.granted[slot, to] = ring.granted[slot, place]


@compiled
def _drawn(seed: Any, retired: Any) -> Any:
    """Return a number in 0..retired that only the client and its count decide."""
    return np.int64(_mixed(seed + np.uint64(retired)) % np.uint64(retired + 1))


@compiled
def _mixed(value: Any) -> Any:
    """Return 64 well mixed bits of 64 bits (the finisher of splitmix64, Steele et al. 2014)."""
    value = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
