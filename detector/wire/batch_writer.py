"""Writing batch records: the same predictions that would go as JSON, as columns."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from detector.records import Input, Output, Record
from detector.times import parse_time
from detector.wire.batch_form import BatchForm
from detector.wire.facts import REFUSED
from detector.wire.ids import id_bytes
from detector.wire.outputs import narrow


def frame(record: bytes) -> bytes:
    """Return a record as a `.gkb` file holds it: behind its length, u4 little endian."""
    return len(record).to_bytes(4, "little") + record


def encode_batch(records: Sequence[Record]) -> bytes:
    """Return the batch record of predictions that share model, shape, dtype and form of output.

    Rows answered with 4xx or 5xx may lack input and output. Raises ValueError where the records do not fit together.
    """
    if not records:
        raise ValueError("a batch record needs a row")
    tenant_of = {record.client: record.tenant for record in records}
    number = {client: at for at, client in enumerate(tenant_of)}
    first = next((record.input for record in records if record.input is not None), None)
    status = [record.status or 0 for record in records]
    batch = BatchForm(
        model=_one("model", {record.model for record in records}),
        model_version=_one("model_version", {record.model_version for record in records}),
        shape=None if first is None else first.shape,
        dtype=None if first is None else first.dtype,
        clients=list(tenant_of),
        tenants=list(tenant_of.values()) if any(tenant_of.values()) else None,
        client=np.array([number[record.client] for record in records], "<u4").tobytes(),
        time=np.array([parse_time(record.time) for record in records], "<i8").tobytes(),
        id=b"".join([id_bytes(record.id) for record in records]),
        status=np.array(status, "<u2").tobytes() if any(status) else None,
        input=None if first is None else b"".join([_data(record, first) for record in records]),
        **_outputs(records),
    )
    return msgspec.msgpack.encode(batch)


def _one(member: str, values: set[Any]) -> Any:
    if len(values) != 1:
        raise ValueError(f"{member}: the records of one batch must agree on it")
    return values.pop()


def _data(record: Record, like: Input) -> bytes:
    if record.input is None and _refused(record):
        return bytes(len(like.data))
    if record.input is None or (record.input.shape, record.input.dtype) != (like.shape, like.dtype):
        raise ValueError("input: the records of one batch must agree on its shape and dtype")
    return record.input.data


def _outputs(records: Sequence[Record]) -> dict[str, Any]:
    answered = [record.output for record in records if not _refused(record)]
    outputs = [output for output in answered if output is not None]
    if len(outputs) != len(answered):
        raise ValueError("output: missing")
    if not outputs:
        return {}
    if all(output.probabilities for output in outputs):
        return {"probabilities": _probabilities(records, outputs)}
    if not all(isinstance(output.label, int) for output in outputs):
        raise ValueError("output: the records of one batch must all have probabilities, or all a class index")
    return _labels(records, outputs)


def _probabilities(records: Sequence[Record], outputs: Sequence[Output]) -> bytes:
    classes = _one("output.probabilities: their number", {len(output.probabilities or ()) for output in outputs})
    filler = [0.0] * classes
    each = iter(outputs)
    rows = [filler if _refused(record) else next(each).probabilities for record in records]
    return narrow(rows).astype("<f4").tobytes()


def _labels(records: Sequence[Record], outputs: Sequence[Output]) -> dict[str, Any]:
    each = iter(outputs)
    nothing = Output(label=0, confidence=0.0)
    rows = [nothing if _refused(record) else next(each) for record in records]
    columns = {"label": np.array([row.label for row in rows], "<i4").tobytes()}
    if _one("output.confidence", {output.confidence is not None for output in outputs}):
        columns["confidence"] = narrow([row.confidence for row in rows]).astype("<f4").tobytes()
    return columns


def _refused(record: Record) -> bool:
    return (record.status or 0) >= REFUSED
