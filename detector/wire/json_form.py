"""The JSON form of the query record: one prediction each; columns after the records are parsed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detector.wire.columns import Columns, Part, finish
from detector.wire.facts import REFUSED, Known, RawRecord, Unreadable, unreadable
from detector.wire.ids import id_column
from detector.wire.inputs import from_inputs
from detector.wire.json_record import UNSTATED, Json
from detector.wire.json_run import read_run
from detector.wire.outputs import from_outputs

Place = tuple[int, int]  # index of the record in the batch, row: the order of the stream


def read_json(
    first: int, raws: Sequence[RawRecord], known: Known
) -> tuple[list[tuple[str, Part]], list[tuple[Place, Unreadable]], list[bytes]]:
    """Return the readable rows of a run of JSON records by model, the unreadable ones, and those that are enforced.

    `first` is the run's index.
    """
    read, time, faults = read_run(raws, known.limit_bytes)
    parts = []
    for model, rows in _by_model(read, faults).items():
        place = np.array([raws[row].place for row in rows], np.int64)
        columns = _columns(model, [read[row] for row in rows], time[rows], place, known)
        parts.append((model, finish(columns)))
        faults |= {rows[row]: why for row, why in columns.faults.items()}
    enforced = [row for row, one in enumerate(read) if one.enforced is not UNSTATED and row not in faults]
    bad = [((first + row, 0), unreadable(raws[row], why)) for row, why in faults.items()]
    return parts, bad, [raws[row].value or b"" for row in enforced]


def _by_model(read: Sequence[Json], faults: dict[int, str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    if not faults and len({one.model for one in read}) == 1:  # as most are
        return {read[0].model: list(range(len(read)))}
    for row, one in enumerate(read):
        if row not in faults:
            rows.setdefault(one.model, []).append(row)
    return rows


def _columns(
    model: str, json: Sequence[Json], time: npt.NDArray[np.int64], place: npt.NDArray[np.int64], known: Known
) -> Columns:
    tenant_of = {one.client: one.tenant or None for one in json}  # as last stated
    number = {client: at for at, client in enumerate(tenant_of)}
    scored = np.array([(one.status or 0) < REFUSED for one in json])
    blocks, faults = from_inputs([one.input for one in json], known.shapes.get(model))
    answers = from_outputs([one.output for one in json], scored, known.classes.get(model))
    return Columns(
        model=model,
        clients=list(tenant_of),
        tenants=list(tenant_of.values()),
        client=np.array([number[one.client] for one in json], np.int32),
        time=time,
        id=id_column([one.id for one in json]),
        scored=scored,
        answers=answers,
        blocks=blocks,
        place=place,
        row=np.zeros(len(json), np.int32),
        faults=answers.faults | faults,
    )
