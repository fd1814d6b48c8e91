"""Columns: the rows that one form of record gave for one model, and how they become `Queries`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector.query import Queries, Shape, join
from detector.wire.facts import RawRecord, Unreadable, unreadable
from detector.wire.inputs import Block
from detector.wire.outputs import Answers


@dataclass(frozen=True, slots=True)
class Columns:
    """n rows of one model as they were read; `faults` names those that are unreadable, and why."""

    model: str
    clients: Sequence[str]  # may repeat and may name clients without a row
    tenants: Sequence[str | None]  # one for each of `clients`
    client: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]
    id: npt.NDArray[np.uint64]  # [n, 2]
    scored: npt.NDArray[np.bool_]
    answers: Answers
    blocks: Sequence[Block]
    place: npt.NDArray[np.int64]
    row: npt.NDArray[np.int32]
    faults: dict[int, str]


class Part(NamedTuple):
    """Readable rows of one model, their inputs still in blocks."""

    queries: Queries  # without input
    blocks: Sequence[Block]


def finish(columns: Columns) -> Part:
    """Return the readable rows. What was refused with 4xx or 5xx keeps no input: it is never scored."""
    keep, blocks = _readable(columns)
    client, clients, tenants = _present(columns, keep)
    has_input = np.zeros(len(client), np.bool_)
    for block in blocks:
        has_input[block.rows] = True
    queries = Queries(
        model=columns.model,
        clients=clients,
        tenants=tenants,
        client=client,
        time=columns.time[keep],
        id=columns.id[keep],
        scored=columns.scored[keep],
        has_input=has_input,
        input=None,
        label=columns.answers.label[keep],
        margin_low=columns.answers.margin_low[keep],
        margin_high=columns.answers.margin_high[keep],
        place=columns.place[keep],
        row=columns.row[keep],
    )
    return Part(queries, blocks)


def assemble(parts: Sequence[Part], shape: Shape | None) -> Queries:
    """Return the parts of one model as one batch, with its inputs in one array if the shape is known."""
    queries = join([part.queries for part in parts])
    if shape is None:
        return queries
    # zeros are memory that nobody touches: rows without an input cost nothing until someone reads them
    dense = np.zeros((len(queries), int(np.prod(shape, dtype=np.int64))), np.float32)
    start = 0
    for part in parts:
        for block in part.blocks:
            dense[block.rows + start] = block.values
        start += len(part.queries)
    return Queries(**{name: getattr(queries, name) for name in Queries.__slots__ if name != "input"}, input=dense)


def row_faults(raw: RawRecord, faults: dict[int, str]) -> list[Unreadable]:
    """Return the unreadable rows of one batch record; the first carries its head."""
    return [
        unreadable(raw, faults[row], row, head=first)
        for row, first in zip(sorted(faults), [True] + [False] * len(faults), strict=False)
    ]


def _readable(columns: Columns) -> tuple[npt.NDArray[np.bool_] | slice, Sequence[Block]]:
    """Return which rows can be read, and the blocks of those that are scored; mostly all are."""
    if not columns.faults and columns.scored.all():
        return slice(None), columns.blocks
    keep = np.ones(len(columns.time), np.bool_)
    keep[list(columns.faults)] = False
    position = np.cumsum(keep) - 1
    return keep, [_kept(block, keep & columns.scored, position) for block in columns.blocks]


def _kept(block: Block, keep: npt.NDArray[np.bool_], position: npt.NDArray[np.intp]) -> Block:
    kept = keep[block.rows]
    if kept.all():
        return Block(position[block.rows], block.values)
    return Block(position[block.rows[kept]], block.values[kept])


def _present(
    columns: Columns, keep: npt.NDArray[np.bool_] | slice
) -> tuple[npt.NDArray[np.int32], tuple[str, ...], tuple[str | None, ...]]:
    asked = columns.client[keep]
    if np.bincount(asked, minlength=len(columns.clients)).all():
        return asked, tuple(columns.clients), tuple(columns.tenants)
    used, client = np.unique(asked, return_inverse=True)
    clients = tuple(columns.clients[at] for at in used)
    tenants = tuple(columns.tenants[at] for at in used)
    return client.astype(np.int32), clients, tenants
