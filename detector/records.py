"""The wire forms that Gamekeeper writes as JSON: query record, decision, API key, role, gateway status.

Light on purpose (standard library and msgspec only): the gateway imports this on its request path.
Reading query records, which needs numpy, is `detector.wire`.
"""

import hashlib
import hmac
from typing import Annotated, Literal, TypeVar

import msgspec

from detector.decision import Action, Decision, Key, Origin, Scope
from detector.times import format_time, parse_time

CONTENT_TYPE_BATCH = "application/vnd.gamekeeper.batch+msgpack"
DTYPES = ("uint8", "float16", "float32", "float64")  # of an input's data, little endian, row-major

T = TypeVar("T")
Step = Literal["allow", "perturb", "throttle", "block"]
Operation = Literal["predict", "metadata"]
OPERATIONS: tuple[Operation, ...] = ("predict", "metadata")
ROLE_KEY = "role:"  # begins the Kafka key of a role on the topic `keys`
Rows = Annotated[int, msgspec.Meta(ge=0)]


class BadRecord(ValueError):  # noqa: N818  # named for what it says to the reader
    """A record of ours that cannot be read; the message names the member and the fault."""

    for_people = True  # the command line prints the message as it is


class Input(msgspec.Struct, frozen=True, gc=False):
    """What the client sent: `data` holds the little-endian row-major bytes (base64 in JSON)."""

    shape: list[int]  # of one input, without a batch axis
    dtype: str  # one of DTYPES
    data: bytes


class Output(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An answer: probabilities, or a label with or without its confidence (0..1)."""

    probabilities: list[float] | None = None  # a single one is a binary score
    label: int | str | None = None
    confidence: float | None = None


Served = Output


class Enforced(msgspec.Struct, frozen=True, omit_defaults=True):
    """The decision that shaped what the client got."""

    action: Step
    decision: int | None = None
    serial: int | None = None


class Withheld(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a gateway whose policy is in shadow would have done, and did not."""

    status: int  # the HTTP answer would have had
    enforced: Enforced | None = None  # the decision that asked for it; else limits or the outputs of every answer
    served: Output | None = None  # what the client would have got, if something else than it did


class Record(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="v", tag=1, kw_only=True):
    """One prediction, as a gateway logs it to the topic `predictions`; its Kafka key is the client."""

    id: str  # a ULID or UUID best: its 16 bytes are kept; of anything else a hash
    time: str  # RFC 3339, see format_time
    model: str
    client: str
    model_version: str | None = None
    tenant: str | None = None
    source_ip: str | None = None
    input: Input | None = None
    output: Output | None = None  # the model's true answer; may be absent where status >= 400
    served: Output | None = None  # what the client got, where that was something else
    enforced: Enforced | None = None
    withheld: Withheld | None = None
    status: int | None = None  # of the HTTP answer


class ApiKey(msgspec.Struct, frozen=True, tag_field="v", tag=1, kw_only=True):
    """A client's API key on the topic `keys`; its Kafka key is `hash`."""

    hash: str  # see `hashed`
    prefix: str | None = None  # the key's first characters, by which people and logs know it
    client: str
    tenant: str | None = None
    roles: tuple[str, ...] = ("predict",)
    expires: str | None = None  # RFC 3339
    revoked: bool = False


class Role(msgspec.Struct, frozen=True, tag_field="v", tag=1, kw_only=True):
    """What a key or token with this role may do, on the topic `keys`; its Kafka key is `role:` and the name."""

    role: str  # its name
    models: tuple[str, ...] = ("*",)  # names, or patterns with *, ? and [abc]
    operations: tuple[Operation, ...] = OPERATIONS
    day: Rows | None = None  # rows a client may ask in a day (UTC); None: says nothing of it
    month: Rows | None = None


class Applied(msgspec.Struct, frozen=True):
    """The newest decision that a gateway has taken into its table."""

    id: int
    serial: int


class GatewayStatus(msgspec.Struct, frozen=True, tag_field="v", tag=1, kw_only=True):
    """How a gateway is doing, on the topic `gateway_status`; its Kafka key is the gateway's name."""

    gateway: str
    time: str  # RFC 3339, when it was written
    applied: Applied | None = None
    decisions: int = 0  # in its table
    table_age_seconds: float | None = None  # since it last heard from the topic `decisions`
    dropped: int = 0  # query records it could not log since it started


class _Decision(msgspec.Struct, frozen=True, tag_field="v", tag=1, kw_only=True):
    id: int
    serial: int
    scope: str
    value: str
    model: str
    action: str
    until: str
    origin: str
    reason: str = ""
    verdict: str | None = None
    shadow: bool = False


def encode_record(record: Record) -> bytes:
    """Return the JSON of a query record."""
    return msgspec.json.encode(record)


def encode_decision(decision: Decision) -> bytes:
    """Return the JSON of a decision, for the topic `decisions` and the push channel."""
    wire = _Decision(
        id=decision.id,
        serial=decision.serial,
        scope=decision.key.scope.value,
        value=decision.key.value,
        model=decision.key.model,
        action=decision.action.word,
        until=format_time(decision.until),
        origin=decision.origin.value,
        reason=decision.reason,
        verdict=decision.verdict,
        shadow=decision.shadow,
    )
    return msgspec.json.encode(wire)


def decode_decision(data: bytes) -> Decision:
    """Return the decision in `data`. Raises BadRecord."""
    wire = _decode(data, _Decision)
    try:
        return Decision(
            id=wire.id,
            serial=wire.serial,
            key=Key(Scope(wire.scope), wire.value, wire.model),
            action=Action.parse(wire.action),
            until=parse_time(wire.until),
            origin=Origin(wire.origin),
            reason=wire.reason,
            verdict=wire.verdict,
            shadow=wire.shadow,
        )
    except ValueError as error:
        raise BadRecord(f"decision: {error}") from error


def decision_key(decision: Decision) -> bytes:
    """Return the Kafka key of a decision: compact JSON [scope, value, model]."""
    return encode_key(decision.key)


def encode_key(key: Key) -> bytes:
    """Return a decision's key as its Kafka key: compact JSON [scope, value, model]."""
    return msgspec.json.encode([key.scope.value, key.value, key.model])


def parse_decision_key(data: bytes) -> Key:
    """Return the key in a Kafka key, also of a tombstone. Raises BadRecord."""
    scope, value, model = _decode(data, tuple[str, str, str])
    try:
        return Key(Scope(scope), value, model)
    except ValueError as error:
        raise BadRecord(f"decision key: {error}") from error


def encode_api_key(key: ApiKey) -> bytes:
    """Return the JSON of a row of the topic `keys`."""
    return msgspec.json.encode(key)


def decode_api_key(data: bytes) -> ApiKey:
    """Return the row of the topic `keys` in `data`. Raises BadRecord, also for an expiry that is no time."""
    key = _decode(data, ApiKey)
    if key.expires is not None:
        _check_time("expires", key.expires)
    return key


def encode_role(role: Role) -> bytes:
    """Return the JSON of a role on the topic `keys`."""
    return msgspec.json.encode(role)


def decode_role(data: bytes) -> Role:
    """Return the role in `data`. Raises BadRecord, also for an operation that we do not know."""
    return _decode(data, Role)


def hashed(key: str, pepper: bytes = b"") -> str:
    """Return the hexadecimal digest by which an API key is known.

    HMAC-SHA256 under the installation's pepper; the plain SHA-256 where there is none.
    """
    text = key.encode()
    return hmac.digest(pepper, text, "sha256").hex() if pepper else hashlib.sha256(text).hexdigest()


def encode_gateway_status(status: GatewayStatus) -> bytes:
    """Return the JSON of a row of the topic `gateway_status`."""
    return msgspec.json.encode(status)


def decode_gateway_status(data: bytes) -> GatewayStatus:
    """Return the row of the topic `gateway_status` in `data`. Raises BadRecord."""
    status = _decode(data, GatewayStatus)
    _check_time("time", status.time)
    return status


def _check_time(member: str, text: str) -> None:
    try:
        parse_time(text)
    except ValueError as error:
        raise BadRecord(f"{member}: {error}") from error


def _decode(data: bytes, form: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=form)
    except (ValueError, RecursionError) as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        raise BadRecord(f"not readable: {error}") from error
