"""A client's memory of its own queries: a ring of 64, and what a new query is to those in it.

The 32 latest effective queries and a reservoir of 32 older ones. A near repeat of a remembered query (a retry, a
health check, a film's next frame) is *collapsed*: it is counted, not remembered, and each remembered
query grants its repeats at most 3 further trials. The fold takes one query after the other.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.brackets import NEAREST, bracket
from detector.chance import drawn
from detector.compiled import Order, by_client, inlined, lean, put
from detector.features import Features
from detector.geometry import COORDS, SCENE, SKETCH
from detector.names import WIDTH, blank
from detector.once import once
from detector.population import Population
from detector.search import BLOCK, search
from detector.signals.base import BESIDE, BY_BASE, BY_FLIP, BY_PARENT, PARTNERS, Columns, Field, Flags, Ints, number
from detector.steps import ALIKE, BIN, brightness, constant_step, moved, room, same_step

RECENT: Final = 32
SLOTS: Final = 64  # with 32 alone JbDA is seen 50 queries later (measured)
GRANTS: Final = 3  # trials that one remembered query grants its repeats: an hour's film of one scene gives 3
REPEAT: Final = 0.2  # of the distance of random pairs in the coarse view: the same scene
PARENT: Final = 0.5  # of it: near enough to be a parent of synthetic queries, or of an honest tester's copies
YOUNG: Final = BLOCK  # queries: the memory of a client that has no more is written as so many places


def fields(places: int) -> tuple[Field, ...]:
    """Return the columns of a memory of so many places, which fill up from the first one on.

    What is searched lies in blocks of 16 places, and in each block places last: the search runs over them side by side
    and never looks at the blocks of a young client that are empty.
    """
    return (
        Field("z", "f4", (places // BLOCK, SKETCH, BLOCK)),
        Field("ux", "f4", (places // BLOCK, SCENE, BLOCK)),
        Field("c", "i2", (places, COORDS)),
        Field("label", "i8", (places,)),
        Field("ordinal", "i8", (places,), -1),  # which effective query it was; -1: empty
        Field("granted", "i8", (places,)),
        Field("middle", "b1", (places,)),  # it lay halfway between two remembered ones with different answers itself
        Field("ordinary", "b1", (places,)),  # an ordinary input, or made from one that is remembered
        Field("name", "i8", (places, WIDTH)),
        Field("step", "i2", (COORDS,)),  # how far each numeric column of a table moved in the latest step from a parent
        Field("tint", "i8"),  # thousandths by which the latest image of even other brightness differed from its parent
        Field("kept", "i8"),  # effective queries so far
    )


FIELDS: Final = fields(SLOTS)


class Ring(NamedTuple):
    """The columns of FIELDS, by name, and the clients' seeds."""

    z: npt.NDArray[np.float32]  # blocks of places
    ux: npt.NDArray[np.float32]
    c: npt.NDArray[np.int16]
    label: npt.NDArray[np.int64]
    ordinal: npt.NDArray[np.int64]
    granted: npt.NDArray[np.int64]
    middle: npt.NDArray[np.bool_]
    ordinary: npt.NDArray[np.bool_]
    name: npt.NDArray[np.int64]
    step: npt.NDArray[np.int16]
    tint: npt.NDArray[np.int64]
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
    foreign: npt.NDArray[np.float32]
    name: npt.NDArray[np.int64]
    order: Order


class Scales(NamedTuple):
    """What is near. NaN where the population does not know."""

    r: float
    udist: float
    strange: Any  # f4: an input that looks more foreign is no ordinary one
    coords: int  # raw coordinates in use
    numeric: int  # how many of the first ones are a table's numeric columns; 0 for images


class Relations(NamedTuple):
    """What each query is to its client's earlier ones; the fields are described in `signals.base.Batch`."""

    dflip: npt.NDArray[np.float32]
    dmin: npt.NDArray[np.float32]
    changed: npt.NDArray[np.float32]
    halfway: npt.NDArray[np.float32]
    part: npt.NDArray[np.float32]  # for the signal `line` to tell
    base_same: npt.NDArray[np.bool_]
    lattice: npt.NDArray[np.bool_]
    tinted: npt.NDArray[np.bool_]
    related: npt.NDArray[np.bool_]
    repeat: npt.NDArray[np.bool_]
    trial: npt.NDArray[np.bool_]
    fresh: npt.NDArray[np.bool_]
    chained: npt.NDArray[np.bool_]
    base: npt.NDArray[np.int64]
    step: npt.NDArray[np.float32]
    beside: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


def relate(columns: Columns, seed: npt.NDArray[Any], asked: Asked, scales: Scales) -> Relations:
    """Return what each query is to its client's earlier ones, and remember it."""
    ring = Ring(**{field.name: columns[field.name] for field in FIELDS}, seed=seed)
    relations = _unknown(len(asked.slot))
    scratch = (np.empty(SLOTS, np.float32), np.empty(SLOTS, np.float32)), (np.empty(NEAREST, np.int64), room())
    _fold(ring, asked, scales, relations, scratch)
    return relations


def _unknown(count: int) -> Relations:
    """Return what is known before a memory is searched. Columns of one kind lie in one array: it is made at once."""
    floats, flags = np.full((5, count), np.nan, np.float32), np.zeros((8, count), np.bool_)
    base, step = np.full(count, -1, np.int64), np.zeros((count, SKETCH), np.float32)
    return Relations._make((*floats, *flags, base, step, blank(count, BESIDE), blank(count, PARTNERS)))


def asked(queries: tuple[Ints, Flags, Ints, Ints], features: Features) -> Asked:
    """Return the queries (slot, has_input, label, name) as the fold takes them."""
    slot, has_input, label, name = queries
    ux = scene(features.ux)
    return Asked(
        slot, has_input, label, features.z, ux, features.c, features.sc, features.foreign, name, by_client(slot)
    )


def scene(ux: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the first principal axes, 24 at most; f4[n, a]. Where a population has fewer, no others are looked at."""
    return np.ascontiguousarray(ux[:, :SCENE])


@once
def scales(population: Population) -> Scales:
    """Return what is near in this population."""
    coords = population.arrays.get("coords", np.empty(0))
    numeric = population.arrays.get("numeric")
    first = 0 if numeric is None else int(np.sum(numeric[coords]))
    strange = np.float32(number(population, "for96"))
    return Scales(number(population, "r"), number(population, "udist"), strange, len(coords), first)


@lean
def _fold(ring: Ring, asked: Asked, scales: Scales, out: Relations, scratch: Any) -> None:
    """Take client after client, each one's queries in stream order: so its memory stays in the processor's cache."""
    for row in asked.order:
        if asked.has_input[row]:
            _take(ring, (asked, row), scales, out, scratch)


@inlined
def _take(ring: Ring, query: Any, scales: Scales, out: Relations, scratch: Any) -> None:
    (asked, row), (ways, (nearest, sizes)) = query, scratch
    slot = asked.slot[row]
    near = search(ring, asked, row, ways)
    _look_between(ring, asked, (scales.coords, ways[0], nearest), out, row)
    radius = scales.r * asked.sc[row]
    out.dflip[row] = near.dflip
    out.dmin[row] = near.dmin
    if near.flip >= 0:
        put(out.beside[row, BY_FLIP], ring.name[slot, near.flip])
    if near.anchor >= 0:
        put(out.beside[row, BY_PARENT], ring.name[slot, near.parent])
        _step(ring, (asked, row), scales.coords, out, near.anchor)
        out.related[row] = near.ub < PARENT * scales.udist
    if near.anchor >= 0 and near.ub < scales.udist:
        parent = ring.c[slot, near.parent]
        out.lattice[row] = same_step(asked.c[row], parent, ring.step[slot], scales.numeric)
        if out.related[row]:
            moves = moved(asked.c[row], parent, (scales.coords, True), sizes)
            out.tinted[row] = _tinted(ring, slot, brightness(moves, sizes))
            if scales.numeric > 0:
                moves = moved(asked.c[row], parent, (scales.coords, False), sizes)
            out.lattice[row] |= constant_step(moves, parent, scales.numeric, sizes)
    repeat = (near.dsame < radius or near.us < REPEAT * scales.udist) and not out.lattice[row]
    repeat = repeat and np.isnan(out.halfway[row])
    out.repeat[row] = repeat
    out.trial[row] = not repeat
    # A tester corrupts an ordinary input step by step: what is made from one says nothing of where inputs come from.
    made = out.related[row] and ring.ordinary[slot, near.parent]
    out.fresh[row] = not (repeat or made or near.dmin < radius or near.ub < REPEAT * scales.udist)
    if not repeat:
        place = _remember(ring, asked, row)
        ring.ordinary[slot, place] = not asked.foreign[row] > scales.strange or made
        ring.middle[slot, place] = not np.isnan(out.halfway[row])
    elif ring.granted[slot, near.same] < GRANTS:
        ring.granted[slot, near.same] += 1
        out.trial[row] = True


@inlined
def _tinted(ring: Ring, slot: int, tint: int) -> bool:
    """Tell whether the image is as much brighter or darker than its parent as the one before was than its own."""
    last = abs(ring.tint[slot])
    if tint != 0:
        ring.tint[slot] = tint
    return bool(tint != 0 and abs(abs(tint) - last) <= max(BIN, ALIKE * last))


@inlined
def _look_between(ring: Ring, asked: Asked, sizes: Any, out: Relations, row: int) -> None:
    """Write the two remembered queries halfway between which the query lies, if there are any."""
    coords, far, nearest = sizes
    slot = asked.slot[row]
    filled = min(ring.kept[slot], SLOTS)
    held = (ring.z[slot], ring.c[slot], ring.label[slot])
    one, other, part = bracket(held, coords, (asked.z[row], far[:filled]), nearest)
    if one >= 0:
        out.halfway[row] = part
        out.chained[row] = ring.middle[slot, one] or ring.middle[slot, other]
        put(out.ends[row, 0], ring.name[slot, one])
        put(out.ends[row, 1], ring.name[slot, other])


@inlined
def _step(ring: Ring, query: Any, coords: int, out: Relations, anchor: int) -> None:
    """Write what the query is to its nearest neighbour, the base of a step."""
    asked, row = query
    slot = asked.slot[row]
    out.base[row] = ring.ordinal[slot, anchor]
    put(out.beside[row, BY_BASE], ring.name[slot, anchor])
    out.base_same[row] = ring.label[slot, anchor] == asked.label[row]
    changed = 0
    for place in range(coords):
        changed += asked.c[row, place] != ring.c[slot, anchor, place]
    out.changed[row] = changed / max(coords, 1)
    for axis in range(SKETCH):
        out.step[row, axis] = asked.z[row, axis] - ring.z[slot, anchor // BLOCK, axis, anchor % BLOCK]


@inlined
def _remember(ring: Ring, asked: Asked, row: int) -> int:
    """Put the query in place of the oldest recent one, which may move to the reservoir; return that place."""
    slot = asked.slot[row]
    kept = ring.kept[slot]
    place = kept % RECENT
    if kept >= RECENT:
        _retire(ring, slot, place, kept - RECENT)
    put(ring.z[slot, place // BLOCK, :, place % BLOCK], asked.z[row])
    put(ring.ux[slot, place // BLOCK, : asked.ux.shape[1], place % BLOCK], asked.ux[row])
    put(ring.c[slot, place], asked.c[row])
    ring.label[slot, place] = asked.label[row]
    ring.ordinal[slot, place] = kept
    ring.granted[slot, place] = 0
    put(ring.name[slot, place], asked.name[row])
    ring.kept[slot] = kept + 1
    return int(place)


@inlined
def _retire(ring: Ring, slot: int, place: int, retired: int) -> None:
    """Keep a uniform sample of the retired (Vitter's algorithm R); chance comes from the client and its count."""
    to = retired
    if retired >= SLOTS - RECENT:
        to = drawn(ring.seed[slot], retired)
    if to >= SLOTS - RECENT:
        return
    to += RECENT
    put(ring.z[slot, to // BLOCK, :, to % BLOCK], ring.z[slot, place // BLOCK, :, place % BLOCK])
    put(ring.ux[slot, to // BLOCK, :, to % BLOCK], ring.ux[slot, place // BLOCK, :, place % BLOCK])
    put(ring.c[slot, to], ring.c[slot, place])
    ring.label[slot, to] = ring.label[slot, place]
    ring.ordinal[slot, to] = ring.ordinal[slot, place]
    ring.granted[slot, to] = ring.granted[slot, place]
    ring.middle[slot, to] = ring.middle[slot, place]
    ring.ordinary[slot, to] = ring.ordinary[slot, place]
    put(ring.name[slot, to], ring.name[slot, place])
