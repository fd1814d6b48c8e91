"""Virtual kinds: honest clients that the past does not hold, made from those that it holds.

An unlabelled population lacks most kinds of honest clients; ceilings learnt from it alone block the first stress
tester. Each virtual query is a changed copy of an ordinary one and keeps its parent's answer.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector import geometry
from detector.learning.past import generator
from detector.learning.virtual.both import BOTH
from detector.learning.virtual.images import IMAGES
from detector.learning.virtual.pool import (
    CLIENTS,
    CLIENTS_FIRST,
    CLIENTS_MIN,
    NUMBERS_MAX,
    QUERIES,
    Copies,
    Pool,
    VirtualKind,
)
from detector.learning.virtual.tables import TABLES
from detector.population import Population
from detector.query import Queries

HELD_MAX: Final = 1 << 27  # input numbers kept for a pass (512 MiB of float32); what does not fit is made again
PARENTS_MIN: Final = 64  # fewer ordinary queries than this make copies of the same few things

__all__ = [
    "CLIENTS",
    "CLIENTS_FIRST",
    "NUMBERS_MAX",
    "Pool",
    "Stock",
    "VirtualKind",
    "clients_of",
    "kinds_of",
    "queries_of",
    "raw",
]


def kinds_of(layout: geometry.Layout) -> tuple[VirtualKind, ...]:
    """Return the virtual kinds for inputs of this layout."""
    return (*(IMAGES if layout.image else TABLES), *BOTH)


def clients_of(pool: Pool, kind: VirtualKind, model: str, clients: int = CLIENTS) -> list[Copies]:
    """Return the clients of one virtual kind: always the same for the same pool; none where it is not possible."""
    count = min(clients, NUMBERS_MAX // (QUERIES * max(pool.layout.size, 1)))
    if count < CLIENTS_MIN or len(pool.inputs) < PARENTS_MIN:
        return []
    rng = generator(f"virtual {kind.name}", model)
    made = (kind.make(pool, rng) for _ in range(count))
    return [copies for copies in made if copies is not None]


def queries_of(pool: Pool, kind: VirtualKind, population: Population, count: int = CLIENTS) -> Queries | None:
    """Return one virtual kind's clients as queries; the population gives the scale. None where it is not possible.

    A changed copy's margin is not known; it is set to 1 ("the model is sure"), which tries the events of
    sure answers on it and can make no low one. Where ordinary answers hold no margins, copies don't either.
    """
    clients = clients_of(pool, kind, population.model, count)
    if not clients:
        return None
    parent = np.concatenate([copies.parent for copies in clients])
    margin = pool.margin[parent]
    if not kind.real:
        margin = np.full(len(parent), 1 if np.isfinite(pool.margin).any() else np.nan, np.float32)
    total = len(parent)
    return Queries(
        model=population.model,
        clients=tuple(f"{kind.name} {number}" for number in range(len(clients))),
        tenants=(None,) * len(clients),
        client=np.repeat(np.arange(len(clients), dtype=np.int32), [len(copies.parent) for copies in clients]),
        time=np.arange(total, dtype=np.int64),
        id=_identities(total),
        scored=np.ones(total, np.bool_),
        has_input=np.ones(total, np.bool_),
        input=raw(np.concatenate([copies.inputs for copies in clients]), population),
        label=pool.label[parent],
        margin_low=margin,
        margin_high=margin,
        place=np.arange(total, dtype=np.int64),
        row=np.zeros(total, np.int32),
    )


class Stock:
    """The virtual clients of one pool, made once for all who need them in a pass, as far as HELD_MAX allows.

    `most` is the largest number of a kind's clients that is asked for more than once.
    """

    def __init__(self, pool: Pool, population: Population, most: int = CLIENTS) -> None:
        self.pool = pool
        self._population = population  # only its scale and its model's name matter
        self._most = most
        self._held: dict[str, Queries | None] = {}
        self._numbers = 0

    def queries(self, kind: VirtualKind, count: int) -> Queries | None:
        """Return what `queries_of` does for the first `count` clients of a kind."""
        if kind.name in self._held:
            return _first(self._held[kind.name], count)
        made = queries_of(self.pool, kind, self._population, max(count, self._most))
        size = 0 if made is None or made.input is None else made.input.size
        if self._numbers + size <= HELD_MAX:
            self._held[kind.name] = made
            self._numbers += size
        return _first(made, count)


def _first(made: Queries | None, count: int) -> Queries | None:
    if made is None or len(made.clients) <= count:
        return made
    part = made.take(slice(0, int(np.searchsorted(made.client, count))))
    return replace(part, clients=made.clients[:count], tenants=made.tenants[:count])


def _identities(total: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    identities = np.zeros((total, 2), np.uint64)
    identities[:, 1] = np.arange(1, total + 1)
    return identities


def raw(scaled: npt.NDArray[Any], population: Population) -> geometry.Floats:
    """Return inputs on the pool's scale as clients send them, f4[n, D]."""
    scale, offset = (population.arrays[name].astype(scaled.dtype) for name in ("scale", "offset"))
    raw = scaled / scale
    raw += offset  # in place: these are hundreds of megabytes
    return np.asarray(raw, np.float32)
