"""Search: the way from a query to every remembered one, and what lies nearest in which respect."""

from typing import Any, NamedTuple

import numpy as np

from detector.compiled import compiled, squares


class Nearby(NamedTuple):
    """What the search of one query found: distances, and the ring slots they belong to (-1: none)."""

    dflip: float
    dsame: float
    dmin: float
    us: float
    ub: float
    flip: int
    anchor: int
    parent: int
    same: int  # nearest with the same label, in z or in the coarse view


@compiled
def search(ring: Any, asked: Any, row: int, far: Any) -> Nearby:
    """Measure the way to all remembered queries at once, dimension by dimension: each slot's sum has one order.

    Writes the squared distances in z into `far` f4[k].
    """
    slot = asked.slot[row]
    scene = np.empty(far.shape[0], np.float32)
    squares(ring.z[slot], asked.z[row], far)
    squares(ring.ux[slot], asked.ux[row], scene)
    return _nearest(ring.ordinal[slot], ring.label[slot], asked.label[row], (far, scene))


@compiled
def _nearest(ordinal: Any, labels: Any, label: int, ways: Any) -> Nearby:
    far, scene = ways
    flip, same, scene_same, anchor, parent = -1, -1, -1, -1, -1
    for place in range(far.shape[0]):
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
        flip=flip,
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
