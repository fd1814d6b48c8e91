"""What goes through the store's doors, and how times are written here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from consumers.filters import Filter
from detector.policy import Policy
from detector.verdict import Snapshot, Verdict
from detector.wire import Unreadable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)  # `until` of what has no end: the wire has no other word for it


class Fenced(RuntimeError):  # noqa: N818  # named for what happened
    """Another owner has claimed the place, or gone on with a client of it: nothing was written, drop the partition."""


class Missing(LookupError):  # noqa: N818  # named for what happened
    """What was named does not exist; the message says so to a person."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Place:
    """One partition of one life of a topic, as read by one consumer group."""

    group: str
    topic: str
    topic_id: str  # Kafka's, changes when a topic is deleted and made again; "" when unknown
    partition: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Ownership of a place, and where to go on from."""

    place: Place
    epoch: int
    next: int | None  # first offset to read; None: never read, start at the topic's beginning
    populations: Mapping[str, str]  # model to version in force at `next`
    policy: str | None  # version in force at `next`
    scored: int
    counted: int
    unreadable: int
    reached: int = 0  # up to here verdicts are stored: nothing that changes them may come into force before


@dataclass(frozen=True, slots=True)
class Channels:
    """The names of the channels that decisions and alerts are owed to."""

    decisions: tuple[str, ...] = ("topic",)
    alerts: tuple[str, ...] = ()
    filters: Mapping[str, Filter] = field(default_factory=dict)  # which alerts a channel wants; without one: all


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that was changed on purpose; its members are the columns of the table `marks`."""

    client: str
    model: str
    record: bytes  # the 16 bytes of the query record's id
    at: int  # µs since 1970 UTC
    true_label: int
    served_label: int
    classes: int
    dtype: str  # of the input, little endian
    shape: list[int]
    input: bytes  # encrypted wherever it is kept


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that becomes true of a place together. Counts are those since the last checkpoint."""

    next: int  # first offset not accounted for
    scored: int = 0
    counted: int = 0
    unreadable: Sequence[Unreadable] = ()
    verdicts: Sequence[Verdict] = ()
    snapshots: Sequence[Snapshot] = ()
    marks: Sequence[Mark] = ()  # sealed
    snapshotted: bool = (
        True  # False: snapshots are left out this time, a new owner resumes where they were last complete
    )
    heard: Sequence[int] = ()  # feedback taken in at `next`
    adopted: Sequence[str] = ()  # population versions in force from `next` on
    gap: tuple[int, int] | None = None  # first lost offset, first offset that could be read again
    policy: Policy = field(default_factory=Policy)  # of the verdicts; its breaker and approval bind what is decided
    turned: Policy | None = None  # in force from `next` on
    channels: Channels = field(default=Channels())

    def __post_init__(self) -> None:
        """Refuse what a new owner could not derive again. Raises ValueError."""
        if not self.snapshotted and (self.heard or self.adopted or self.turned or self.gap):
            raise ValueError("a checkpoint that hears, adopts, turns or has a gap holds snapshots")


def moment(time: int) -> datetime:
    """Return the time of `time` µs since 1970 UTC, at most FOREVER."""
    try:
        return min(EPOCH + timedelta(microseconds=time), FOREVER)
    except OverflowError:
        return FOREVER if time > 0 else EPOCH


def microseconds(time: datetime) -> int:
    """Return µs since 1970 UTC."""
    return (time - EPOCH) // timedelta(microseconds=1)
