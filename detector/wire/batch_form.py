"""The batch form of the query record: many predictions of one model as msgpack columns, little endian."""

import msgspec
import numpy as np
import numpy.typing as npt

from detector.query import Shape
from detector.wire.columns import Columns, Part, finish, row_faults
from detector.wire.facts import (
    DAY,
    REFUSED,
    ROWS_MAX,
    TIME_MAX,
    TIME_MIN,
    Fault,
    Known,
    RawRecord,
    Unreadable,
    client_name,
    model_name,
    tenant_name,
    unreadable,
)
from detector.wire.inputs import Block, check_shape, not_finite, to_block
from detector.wire.json_record import explain, usable
from detector.wire.outputs import Answers, blank, put_confidence, put_probabilities

_WIDTHS = {"client": 4, "time": 8, "id": 16, "status": 2, "label": 4, "confidence": 4, "action": 1}  # bytes a row


class BatchForm(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="v", tag=1, kw_only=True):
    """The members of a batch record; columns are bytes, one entry a row, little endian."""

    model: str
    model_version: str | None = None
    shape: list[int] | None = None
    dtype: str | None = None
    clients: list[str]
    tenants: list[str | None] | None = None
    source_ips: list[str | None] | None = None
    client: bytes
    time: bytes
    id: bytes
    status: bytes | None = None
    input: bytes | None = None
    probabilities: bytes | None = None
    label: bytes | None = None
    confidence: bytes | None = None
    action: bytes | None = None


_DECODER = msgspec.msgpack.Decoder(BatchForm)


def read_batch(raw: RawRecord, known: Known) -> tuple[Part | None, list[Unreadable]]:
    """Return the readable rows of a batch record, and the unreadable ones, or the record as a whole."""
    try:
        batch = parse(usable(raw, known.limit_bytes))
        columns = _columns(batch, _rows(batch), raw, known)
    except Fault as fault:
        return None, [unreadable(raw, str(fault))]
    return finish(columns), row_faults(raw, columns.faults)


def parse(value: bytes) -> BatchForm:
    """Return the columns of a batch record, their lengths unchecked. Raises Fault."""
    try:
        return _DECODER.decode(value)
    except msgspec.ValidationError as error:
        raise Fault(explain(error)) from None
    except (ValueError, RecursionError) as error:
        raise Fault(f"not msgpack: {error}") from None


def _rows(batch: BatchForm) -> int:
    """Return the number of rows, after the length of every column was checked against it. Raises Fault."""
    count = len(batch.client) // 4
    if not 0 < count <= ROWS_MAX:
        raise Fault(f"client: {count} rows, not in 1..{ROWS_MAX}")
    for name, width in _WIDTHS.items():
        column: bytes | None = getattr(batch, name)
        if column is not None and len(column) != count * width:
            raise Fault(f"{name}: {len(column)} bytes where {count} rows need {count * width}")
    if batch.probabilities is not None and (not batch.probabilities or len(batch.probabilities) % (4 * count)):
        raise Fault(f"probabilities: {len(batch.probabilities)} bytes do not make {count} equal rows of float32")
    for name in ("tenants", "source_ips"):
        entries: list[str | None] | None = getattr(batch, name)
        if entries is not None and len(entries) != len(batch.clients):
            raise Fault(f"{name}: {len(entries)} entries for {len(batch.clients)} clients")
    return count


def _columns(batch: BatchForm, count: int, raw: RawRecord, known: Known) -> Columns:
    model = model_name(batch.model)
    time = np.frombuffer(batch.time, "<i8")
    scored = np.ones(count, np.bool_) if batch.status is None else np.frombuffer(batch.status, "<u2") < REFUSED
    client, clients, tenants, name_faults = _clients(batch)
    blocks, input_faults = _inputs(batch, count, known.shapes.get(model))
    answers = _answers(batch, scored, known.classes.get(model))
    return Columns(
        model=model,
        clients=clients,
        tenants=tenants,
        client=client,
        time=time,
        id=np.frombuffer(batch.id, "<u8").reshape(-1, 2),
        scored=scored,
        answers=answers,
        blocks=blocks,
        place=np.full(count, raw.place, np.int64),
        row=np.arange(count, dtype=np.int32),
        faults=answers.faults | input_faults | _time_faults(time, raw.broker_time) | name_faults,
    )


def _clients(batch: BatchForm) -> tuple[npt.NDArray[np.int32], list[str], list[str | None], dict[int, str]]:
    index = np.frombuffer(batch.client, "<u4")
    tenants = batch.tenants or [None] * len(batch.clients)
    wrong: dict[int, str] = {}
    for at, (client, tenant) in enumerate(zip(batch.clients, tenants, strict=True)):
        try:
            client_name(client)
            tenant_name(tenant)
        except Fault as fault:
            wrong[at] = str(fault)
    beyond = index >= len(batch.clients)
    faults = dict.fromkeys(np.flatnonzero(beyond).tolist(), f"client: index beyond the {len(batch.clients)} clients")
    for row in np.flatnonzero(np.isin(index, list(wrong))).tolist() if wrong else ():
        faults[row] = wrong[int(index[row])]
    inside = np.where(beyond, 0, index).astype(np.int32)
    return inside, batch.clients, [tenant or None for tenant in tenants], faults


def _time_faults(time: npt.NDArray[np.int64], broker_time: int | None) -> dict[int, str]:
    outside = (time < TIME_MIN) | (time >= TIME_MAX)
    faults = dict.fromkeys(np.flatnonzero(outside).tolist(), "time: outside the years 1970 to 8999")
    if broker_time is not None:
        ahead = np.flatnonzero(~outside & (time > broker_time + DAY)).tolist()
        faults.update(dict.fromkeys(ahead, "time: more than a day ahead of the broker's"))
    return faults


def _inputs(batch: BatchForm, count: int, shape: Shape | None) -> tuple[list[Block], dict[int, str]]:
    if batch.input is None:
        return [], {}
    if batch.shape is None or batch.dtype is None:
        raise Fault("input: without shape or dtype")
    needed = count * check_shape(batch.shape, batch.dtype, None)
    if len(batch.input) != needed:
        raise Fault(f"input: {len(batch.input)} bytes where {count} rows need {needed}")
    try:
        check_shape(batch.shape, batch.dtype, shape)
    except Fault as fault:  # every prediction is well formed, and of another model's shape
        return [], dict.fromkeys(range(count), str(fault))
    block = to_block(np.arange(count), batch.input, batch.dtype)
    return [block], not_finite(block)


def _answers(batch: BatchForm, scored: npt.NDArray[np.bool_], classes: int | None) -> Answers:
    answers = blank(len(scored))
    rows = np.flatnonzero(scored)
    if batch.probabilities is not None:
        put_probabilities(answers, rows, np.frombuffer(batch.probabilities, "<f4").reshape(len(scored), -1)[rows])
    elif batch.label is not None:
        label = np.frombuffer(batch.label, "<i4")[rows]
        answers.label[rows] = label
        answers.faults.update(dict.fromkeys(rows[label < 0].tolist(), "output.label: not in 0..2147483647"))
        if batch.confidence is not None:
            put_confidence(answers, rows, np.frombuffer(batch.confidence, "<f4")[rows], classes)
    else:
        answers.faults.update(dict.fromkeys(rows.tolist(), "output: neither probabilities nor label"))
    return answers
