"""What the detector remembers of a client, read from its snapshot: queries by name and place, and counts of events."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import names, snapshot
from detector.clients import Table
from detector.geometry import NEAR, number
from detector.names import Name
from detector.policy import Policy
from detector.population import Population
from detector.snapshot import BadSnapshot, Held
from detector.verdict import Snapshot

_LENGTH = Policy().window  # only the open window's section depends on it, and that is not looked at


@dataclass(frozen=True, slots=True)
class Recalled:
    """A client's memory. [n] queries, the oldest first: up to 32 of the latest, and up to 32 drawn from all before."""

    called: tuple[Name, ...]  # [n]
    label: npt.NDArray[np.int64]  # [n] -1 unknown
    z: npt.NDArray[np.float32]  # [n, 48]
    ux: npt.NDArray[np.float32]  # [n, 24] places on the population's principal axes
    evidence: Mapping[str, npt.NDArray[Any]]  # columns of `clients.PER_EVENT` and `clients.PER_SIGNAL`


class Pair(NamedTuple):
    """Two remembered queries that lie nearer to each other than ordinary clients' queries do."""

    one: int  # places in `Recalled`
    other: int
    apart: float  # share of the usual distance between queries
    flipped: bool  # they have different answers


def recall(held: Snapshot) -> Recalled | None:
    """Return what a snapshot holds; None where this version cannot read it."""
    table = Table(_LENGTH)
    slot = table.slot(held.client)
    try:
        snapshot.unpack(table, [Held(slot, held.data, same_population=True)])
    except BadSnapshot:
        return None
    ring = {name: column[slot] for name, column in table.columns["memory"].items()}
    order = np.argsort(ring["ordinal"], kind="stable")
    order = order[ring["ordinal"][order] >= 0]
    called = tuple(names.read(name) for name in ring["name"][order])
    evidence = {name: column[slot] for name, column in table.evidence.items()}
    z, ux = (ring[name].transpose(0, 2, 1).reshape(-1, ring[name].shape[1])[order] for name in ("z", "ux"))
    return Recalled(called, ring["label"][order], z, ux, evidence)


def near_pairs(recalled: Recalled, population: Population) -> list[Pair]:
    """Return the pairs of remembered queries within the population's near-pair radius, the nearest first.

    The detector takes a smaller radius for images of little contrast, which the memory does not tell.
    """
    radius = number(population, "r")
    found = []
    for one, other in combinations(range(len(recalled.called)), 2):
        apart = float(np.linalg.norm(recalled.z[one] - recalled.z[other]))
        if apart < radius:
            first, second = recalled.label[[one, other]].tolist()
            found.append(Pair(one, other, NEAR * apart / radius, first != second and min(first, second) >= 0))
    return sorted(found, key=lambda pair: (pair.apart, pair.one, pair.other))
