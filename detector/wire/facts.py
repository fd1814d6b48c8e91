"""What goes into decoding and what comes out, and the bounds that a record must keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from detector.decision import ANY_MODEL
from detector.query import Queries, Shape

RECORD_BYTES_MAX = 1 << 20  # a larger record is unreadable, unless the operator says otherwise
HEAD_BYTES = 4096  # of an unreadable record are kept
REASON_CHARS = 200
CLIENT_BYTES_MAX = 512  # UTF-8, of a client, a tenant, an id: they are index keys in Postgres
MODEL_BYTES_MAX = 256  # UTF-8
ROWS_MAX = 65_536  # of one batch record
AXES_MAX = 32  # of an input's shape
DAY = 86_400_000_000  # µs
TIME_MIN = 0  # µs: 1970
TIME_MAX = 221_845_392_000_000_000  # µs: the year 9000; leaves room to add durations
REFUSED = 400  # this HTTP status and above: counted, never scored
STATUS_MAX = 0xFFFF  # a batch record's u2
LABEL_MAX = 0x7FFF_FFFF  # a batch record's i4


class Fault(ValueError):  # noqa: N818  # a reason, not an error of ours
    """Why a record or a row cannot be read: the member, a colon, the fault."""


class RawRecord(msgspec.Struct, frozen=True, gc=False):
    """One record as it was read: there are millions, so the garbage collector need not look at them."""

    value: bytes | None  # None: a tombstone
    content_type: str | None
    broker_time: int | None  # µs since 1970 UTC; None for files
    place: int  # Kafka offset, or number of the line or record in a file, from 1
    fault: str | None = None  # the reader already knows that this is unreadable, and why


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A prediction that could not be read.

    `row` is None where the whole record is. Of several unreadable rows of one batch record only the
    first carries the record's head: it would be the same bytes each time.
    """

    place: int
    row: int | None
    reason: str  # printable, at most REASON_CHARS
    head: bytes  # at most HEAD_BYTES


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a batch of records holds. `read` = rows of all queries + unreadable."""

    queries: tuple[Queries, ...]  # one for each model, rows in stream order
    unreadable: tuple[Unreadable, ...]  # in stream order
    read: int
    enforced: tuple[bytes, ...]  # readable JSON records that name a decision as having shaped the answer


@dataclass(frozen=True, slots=True)
class Known:
    """What decoding is told: the models' shapes and numbers of classes, and the size limit in bytes."""

    shapes: Mapping[str, Shape]
    classes: Mapping[str, int]
    limit_bytes: int


def unreadable(raw: RawRecord, reason: str, row: int | None = None, *, head: bool = True) -> Unreadable:
    """Return the fact that `raw`, or one row of it, cannot be read. `reason` may hold a stranger's text."""
    printable = reason if reason.isprintable() else reason.encode("unicode_escape", "replace").decode("ascii")
    kept = (raw.value or b"")[:HEAD_BYTES] if head else b""
    return Unreadable(raw.place, row, printable[:REASON_CHARS], kept)


@lru_cache(maxsize=65_536)  # names repeat; checking one costs ten look-ups
def client_name(text: str) -> str:
    """Return `text` if it can name a client. Raises Fault."""
    return _name("client", text, CLIENT_BYTES_MAX)


@lru_cache(maxsize=65_536)
def tenant_name(text: str | None) -> str | None:
    """Return `text` if it can name a tenant; an empty one is none. Raises Fault."""
    return _name("tenant", text, CLIENT_BYTES_MAX) if text else None


@lru_cache(maxsize=1024)
def model_name(text: str) -> str:
    """Return `text` if it can name a model; `*` stands for any model in decisions. Raises Fault."""
    if text == ANY_MODEL:
        raise Fault("model: '*' is no model's name")
    return _name("model", text, MODEL_BYTES_MAX)


def _name(member: str, text: str, limit: int) -> str:
    if not text:
        raise Fault(f"{member}: empty")
    if not text.isprintable() and any(_is_control(char) for char in text):
        raise Fault(f"{member}: holds a control character")
    if len(text) > limit or len(text.encode()) > limit:
        raise Fault(f"{member}: longer than {limit} bytes of UTF-8")
    return text


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff"


def event_time(time: int, broker_time: int | None) -> int:
    """Return `time` (µs) if a query may have it: after 1970, at most a day ahead of the broker. Raises Fault."""
    if not TIME_MIN <= time < TIME_MAX:
        raise Fault("time: outside the years 1970 to 8999")
    if broker_time is not None and time > broker_time + DAY:
        raise Fault("time: more than a day ahead of the broker's")
    return time
