"""Queries at which the detector itself fails: found, tried again, and at last set aside, so that the stream goes on."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from detector.query import Queries
from detector.wire import HEAD_BYTES, RawRecord, Unreadable

_REASON_CHARS = 180
TRIES = 3  # of one query, before it is set aside


class Poisoned(RuntimeError):  # noqa: N818  # named for what happened
    """The detector failed somewhere in a range of offsets; its memory is not to be trusted any more."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(f"the detector failed between offsets {first} and {last}")
        self.first = first
        self.last = last


@dataclass(slots=True)
class Doubt:
    """A range of offsets that is assessed query by query, and what has failed in it."""

    first: int
    last: int
    tries: dict[tuple[int, int], int] = field(default_factory=dict)  # (offset, row): how often
    errors: dict[tuple[int, int], str] = field(default_factory=dict)

    def widen(self, error: Poisoned) -> None:
        """Take in another range."""
        self.first, self.last = min(self.first, error.first), max(self.last, error.last)

    def covers(self, queries: Queries) -> bool:
        """Tell whether any of the queries lies in the range."""
        return bool(((queries.place >= self.first) & (queries.place <= self.last)).any())

    def failed(self, one: Queries, error: Exception) -> None:
        """Note that the detector failed at this query."""
        key = _key(one)
        self.tries[key] = self.tries.get(key, 0) + 1
        self.errors[key] = f"{type(error).__name__}: {error}"[:_REASON_CHARS]

    def aside(self, one: Queries, records: Iterable[RawRecord]) -> Unreadable | None:
        """Return what to keep of a query that has failed too often; None: try it."""
        key = _key(one)
        if self.tries.get(key, 0) < TRIES:
            return None
        value = next((record.value for record in records if record.place == key[0]), None)
        return Unreadable(
            place=key[0], row=key[1], reason=f"detector: {self.errors[key]}", head=(value or b"")[:HEAD_BYTES]
        )


def _key(one: Queries) -> tuple[int, int]:
    return int(one.place[0]), int(one.row[0])
