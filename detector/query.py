"""Queries: the facts that come in, as columns, in the order in which they were read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Shape: TypeAlias = tuple[int, ...]
"""Shape of one input of a model, without a batch axis."""


@dataclass(frozen=True, slots=True)
class Queries:
    """Queries of one model. All arrays have one row a query, in stream order.

    `input` is None while the model's shape is not known (no population: such queries are counted,
    never scored). Rows without an input of their own have `has_input` False and zeros in `input`.
    Margins are top-1 minus top-2 probability: both bounds equal when the answer held all
    probabilities, an interval for "label with confidence", NaN when unknown.
    """

    model: str
    clients: tuple[str, ...]  # the distinct clients of this batch
    tenants: tuple[str | None, ...]  # one for each of `clients`, as last stated
    client: npt.NDArray[np.int32]  # [n] index into clients
    time: npt.NDArray[np.int64]  # [n] event time, µs since 1970 UTC
    id: npt.NDArray[np.uint64]  # [n, 2] the 16 bytes of the query's id
    scored: npt.NDArray[np.bool_]  # [n] False: answered 4xx or 5xx, counted only
    has_input: npt.NDArray[np.bool_]  # [n]
    input: npt.NDArray[np.float32] | None  # [n, D] row-major, D = product of the shape
    label: npt.NDArray[np.int64]  # [n] class index, or a stable hash of an opaque label; -1 unknown
    margin_low: npt.NDArray[np.float32]  # [n] 0..1
    margin_high: npt.NDArray[np.float32]  # [n] 0..1
    place: npt.NDArray[np.int64]  # [n] Kafka offset or line number
    row: npt.NDArray[np.int32]  # [n] row inside a batch record, else 0

    def __len__(self) -> int:
        return len(self.client)

    def take(self, rows: npt.NDArray[np.intp] | slice) -> "Queries":
        """Return the chosen rows; the list of clients stays as it is."""
        return Queries(
            model=self.model,
            clients=self.clients,
            tenants=self.tenants,
            client=self.client[rows],
            time=self.time[rows],
            id=self.id[rows],
            scored=self.scored[rows],
            has_input=self.has_input[rows],
            input=None if self.input is None else self.input[rows],
            label=self.label[rows],
            margin_low=self.margin_low[rows],
            margin_high=self.margin_high[rows],
            place=self.place[rows],
            row=self.row[rows],
        )


def join(parts: Sequence[Queries]) -> Queries:
    """Return the parts, all of one model and one shape, as one batch in the order given.

    Raises ValueError when there is no part.
    """
    if not parts:
        raise ValueError("no queries to join")
    if len(parts) == 1 and len(set(parts[0].clients)) == len(parts[0].clients):
        return parts[0]
    tenant_of: dict[str, str | None] = {}
    for part in parts:
        tenant_of.update(zip(part.clients, part.tenants, strict=True))
    position = {client: at for at, client in enumerate(tenant_of)}
    renumbered = [np.array([position[name] for name in part.clients], np.int32)[part.client] for part in parts]
    inputs = [part.input for part in parts if part.input is not None]

    def column(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Queries(
        model=parts[0].model,
        clients=tuple(tenant_of),
        tenants=tuple(tenant_of.values()),
        client=np.concatenate(renumbered),
        input=np.concatenate(inputs) if inputs else None,
        **{name: column(name) for name in _PLAIN_COLUMNS},
    )


_PLAIN_COLUMNS = ("time", "id", "scored", "has_input", "label", "margin_low", "margin_high", "place", "row")
