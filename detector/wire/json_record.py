"""One JSON record by itself: its members, or why it cannot be read."""

from collections.abc import Sequence
from typing import Any

import msgspec

from detector.records import Input, Output
from detector.times import parse_time
from detector.wire.facts import (
    CLIENT_BYTES_MAX,
    STATUS_MAX,
    Fault,
    RawRecord,
    client_name,
    event_time,
    model_name,
    tenant_name,
)

UNSTATED = msgspec.Raw()


class Json(msgspec.Struct, frozen=True, gc=False, tag_field="v", tag=1):
    """The members that are read; all others are skipped, `served` among them."""

    id: str
    time: str
    model: str
    client: str
    output: Output | None = None
    input: Input | list[Any] | None = None
    tenant: str | None = None
    status: int | None = None
    enforced: msgspec.Raw = UNSTATED  # only whether it is there


_DECODER = msgspec.json.Decoder(Json)


def usable(raw: RawRecord, limit: int) -> bytes:
    """Return the value of a record that may be parsed. Raises Fault."""
    if raw.fault is not None:
        raise Fault(raw.fault)
    if raw.value is None:
        raise Fault("record: no value (a tombstone)")
    if len(raw.value) > limit:
        raise Fault(f"record: more than {limit} bytes")
    return raw.value


def parse(value: bytes) -> Json:
    """Return the members of a JSON record that are read. Raises Fault."""
    try:
        if not value.isascii():
            value.decode()  # members that are skipped are not decoded, yet JSON is UTF-8 throughout
        return _DECODER.decode(value)
    except msgspec.ValidationError as error:
        raise Fault(explain(error)) from None
    except (ValueError, RecursionError) as error:
        raise Fault(f"not JSON: {error}") from None


def parse_all(raws: Sequence[RawRecord], limit: int) -> list[Json]:
    """Return the members of many records that can all be read, as most can. Raises Fault: which can't, they tell alone.

    It saves a few calls of each.
    """
    values = [raw.value for raw in raws if raw.fault is None and raw.value is not None]
    if len(values) < len(raws) or max(map(len, values)) > limit or not all(map(bytes.isascii, values)):
        raise Fault("records: not all can be read like this")
    try:
        return list(map(_DECODER.decode, values))
    except (ValueError, RecursionError) as error:  # a ValidationError is a ValueError
        raise Fault(f"records: {error}") from None


def explain(error: msgspec.ValidationError) -> str:
    """Return msgspec's sentence as member, colon, fault."""
    fault, _, path = str(error).partition(" - at `$")
    member = path.strip("`.") or "record"
    if fault.startswith("Object missing required field"):
        missing = fault.split("`")[1]
        return f"{missing}: missing" if member == "record" else f"{member}.{missing}: missing"
    return f"{member}: {fault[:1].lower()}{fault[1:]}"


def checked(json: Json, broker_time: int | None) -> int:
    """Return the time (µs since 1970 UTC) of a record whose members keep the rules. Raises Fault."""
    client_name(json.client)
    tenant_name(json.tenant)
    model_name(json.model)
    try:
        time = parse_time(json.time)
    except ValueError as error:
        raise Fault(f"time: {error}") from None
    event_time(time, broker_time)
    id_length(len(json.id))
    status(json.status)
    return time


def id_length(length: int) -> int:
    """Return `length` if an id may have so many characters. Raises Fault."""
    if not 0 < length <= CLIENT_BYTES_MAX:
        raise Fault(f"id: empty or longer than {CLIENT_BYTES_MAX} characters")
    return length


def status(code: int | None) -> int | None:
    """Return `code` if it can be an HTTP status; None is none. Raises Fault."""
    if code is not None and not 0 <= code <= STATUS_MAX:
        raise Fault(f"status: not in 0..{STATUS_MAX}")
    return code
