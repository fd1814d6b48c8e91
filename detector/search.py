"""Search: the way from a query to every remembered one, and what lies nearest in which respect."""

from typing import Any, Final, NamedTuple

import numpy as np

from detector.compiled import inlined, lean, squares

BLOCK: Final = 16  # places that lie beside each other


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


@inlined
def search(ring: Any, asked: Any, row: int, ways: Any) -> Nearby:
    """Measure the way to the remembered queries block by block, dimension by dimension: each one's sum has one order.

    Writes the squared distances in z and in the coarse view into `ways`, two of f4[k]; only those held are meant.
    """
    slot = asked.slot[row]
    far, scene = ways
    held = min(ring.kept[slot], far.shape[0])  # places fill up from the first one on
    for block in range((held + BLOCK - 1) // BLOCK):
        squares(ring.z[slot, block], asked.z[row], far[block * BLOCK : (block + 1) * BLOCK])
        squares(ring.ux[slot, block], asked.ux[row], scene[block * BLOCK : (block + 1) * BLOCK])
    return _nearest(ring.label[slot, :held], asked.label[row], far, scene)


@lean
def _nearest(labels: Any, label: int, far: Any, scene: Any) -> Nearby:
    """Find the nearest in one pass; of equals the first. The least ways so far are held beside their places."""
    flip, same, scene_same, anchor, parent = -1, -1, -1, -1, -1
    to_flip = to_same = to_scene_same = to_anchor = to_parent = np.float32(np.inf)
    for place in range(labels.shape[0]):
        way, scene_way = far[place], scene[place]
        if way < to_anchor:
            anchor, to_anchor = place, way
        if scene_way < to_parent:
            parent, to_parent = place, scene_way
        if labels[place] == label:
            if way < to_same:
                same, to_same = place, way
            if scene_way < to_scene_same:
                scene_same, to_scene_same = place, scene_way
        elif label >= 0 and labels[place] >= 0 and way < to_flip:
            flip, to_flip = place, way
    return Nearby(
        dflip=_root(to_flip),
        dsame=_root(to_same),
        dmin=_root(to_anchor),
        us=_root(to_scene_same),
        ub=_root(to_parent),
        flip=flip,
        anchor=anchor,
        parent=parent,
        same=same if same >= 0 and to_same <= to_scene_same else scene_same,
    )


@lean
def _root(square: Any) -> float:
    return np.float64(np.sqrt(square))
