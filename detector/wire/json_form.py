"""The JSON form of the query record: one prediction each; columns after the records are parsed."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from detector.records import Input, Output
from detector.times import parse_time
from detector.wire.columns import Columns, Part, finish
from detector.wire.facts import (
    CLIENT_BYTES_MAX,
    REFUSED,
    STATUS_MAX,
    Fault,
    Known,
    RawRecord,
    Unreadable,
    client_name,
    event_time,
    model_name,
    tenant_name,
    unreadable,
)
from detector.wire.ids import id_column
from detector.wire.inputs import from_inputs
from detector.wire.outputs import from_outputs

Place = tuple[int, int]  # index of the record in the batch, row: the order of the stream


class _Json(msgspec.Struct, frozen=True, gc=False, tag_field="v", tag=1):
    """The members that are read; all others are skipped, `served` and `enforced` among them."""

    id: str
    time: str
    model: str
    client: str
    output: Output | None = None
    input: Input | list[Any] | None = None
    tenant: str | None = None
    status: int | None = None


class _Row(msgspec.Struct, gc=False):
    at: int  # in the batch of raw records
    raw: RawRecord
    json: _Json
    time: int


_DECODER = msgspec.json.Decoder(_Json)


def read_json(
    run: Sequence[tuple[int, RawRecord]], known: Known
) -> tuple[dict[str, Part], list[tuple[Place, Unreadable]]]:
    """Return the readable rows of a run of JSON records by model, and the unreadable ones."""
    rows: dict[str, list[_Row]] = {}
    bad: list[tuple[Place, Unreadable]] = []
    for index, raw in run:
        try:
            row = _read(index, raw, known.limit_bytes)
        except Fault as fault:
            bad.append(((index, 0), unreadable(raw, str(fault))))
        else:
            rows.setdefault(row.json.model, []).append(row)
    parts = {}
    for model, mine in rows.items():
        columns = _columns(model, mine, known)
        parts[model] = finish(columns)
        bad += [((mine[row].at, 0), unreadable(mine[row].raw, why)) for row, why in columns.faults.items()]
    return parts, bad


def parse(value: bytes) -> _Json:
    """Return the members of a JSON record that are read. Raises Fault."""
    try:
        if not value.isascii():
            value.decode()  # members that are skipped are not decoded, yet JSON is UTF-8 throughout
        return _DECODER.decode(value)
    except msgspec.ValidationError as error:
        raise Fault(explain(error)) from None
    except (ValueError, RecursionError) as error:
        raise Fault(f"not JSON: {error}") from None


def explain(error: msgspec.ValidationError) -> str:
    """Return msgspec's sentence as member, colon, fault."""
    fault, _, path = str(error).partition(" - at `$")
    member = path.strip("`.") or "record"
    if fault.startswith("Object missing required field"):
        missing = fault.split("`")[1]
        return f"{missing}: missing" if member == "record" else f"{member}.{missing}: missing"
    return f"{member}: {fault[:1].lower()}{fault[1:]}"


def _read(index: int, raw: RawRecord, limit: int) -> _Row:
    value = usable(raw, limit)
    json = parse(value)
    client_name(json.client)
    if json.tenant:
        tenant_name(json.tenant)
    model_name(json.model)
    try:
        time = parse_time(json.time)
    except ValueError as error:
        raise Fault(f"time: {error}") from None
    event_time(time, raw.broker_time)
    if not 0 < len(json.id) <= CLIENT_BYTES_MAX:
        raise Fault(f"id: empty or longer than {CLIENT_BYTES_MAX} characters")
    if json.status is not None and not 0 <= json.status <= STATUS_MAX:
        raise Fault(f"status: not in 0..{STATUS_MAX}")
    return _Row(index, raw, json, time)


def usable(raw: RawRecord, limit: int) -> bytes:
    """Return the value of a record that may be parsed. Raises Fault."""
    if raw.fault is not None:
        raise Fault(raw.fault)
    if raw.value is None:
        raise Fault("record: no value (a tombstone)")
    if len(raw.value) > limit:
        raise Fault(f"record: more than {limit} bytes")
    return raw.value


def _columns(model: str, rows: Sequence[_Row], known: Known) -> Columns:
    json = [row.json for row in rows]
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
        time=np.array([row.time for row in rows], np.int64),
        id=id_column([one.id for one in json]),
        scored=scored,
        answers=answers,
        blocks=blocks,
        place=np.array([row.raw.place for row in rows], np.int64),
        row=np.zeros(len(rows), np.int32),
        faults=answers.faults | faults,
    )
