"""Putting our unpacking in the place of the driver's, which takes ten times as long.

The driver (kafka-python 3.0) makes some twenty Python objects and calls of each record: most of the time in which
`detect` reads JSON records. It has no door to another way, so this is done with the versions that were tried;
any other hands out its own records (docs/decisions/0028).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import kafka
from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError

from consumers.kafka.unpack import Piece, pieces, raw
from detector.wire import RawRecord

TRIED: Final = ("3.0.12",)


def hasten(consumer: Any) -> Callable[[Sequence[Any]], Sequence[RawRecord]]:
    """Hasten a consumer of the driver if that was tried; return what makes RawRecords of what it hands out."""
    if kafka.__version__ not in TRIED:
        return _each_raw
    consumer._fetcher.PartitionRecords = Unpacked  # noqa: SLF001  # the driver has no other door to this
    return _as_they_are


def _each_raw(records: Sequence[Any]) -> Sequence[RawRecord]:
    return [raw(record) for record in records]


def _as_they_are(records: Sequence[RawRecord]) -> Sequence[RawRecord]:
    return records


class Unpacked(Fetcher.PartitionRecords):  # type: ignore[misc]  # the driver ships no types
    """What was fetched of one partition. The driver counts on the attributes that are written here."""

    next_fetch_offset: int

    def _unpack_records(self, _place: Any, fetched: Any, *_deserializers: Any) -> Iterator[Piece]:
        self._ready: list[RawRecord] = []
        self._then = self.next_fetch_offset
        self.bytes_read = fetched.size_in_bytes()
        return pieces(fetched._buffer, self.check_crcs)  # noqa: SLF001

    def _maybe_skip_record(self, piece: Piece) -> bool:
        """Leave out pieces that end before the offset that was asked for."""
        return bool(piece.next <= self.fetch_offset)

    def take(self, most: int) -> list[RawRecord]:
        """Return the next records, at most so many; none at the end. Raises KafkaError when there is none before it.

        After an error nothing is left here, so that the driver fetches again from where it is. Its own way leaves a
        reader that is not done and hands out nothing: then it goes round for ever.
        """
        try:
            ended = not self._fill(most)
        except KafkaError:
            if not self._ready:
                self.drain()
                raise
            ended = True
        taken, self._ready = self._ready[:most], self._ready[most:]
        self.records_read += len(taken)
        self.next_fetch_offset = taken[-1].place + 1 if self._ready else self._then
        if ended and not self._ready:
            self.drain()
        return taken

    def _fill(self, most: int) -> bool:
        """Get so many ready; tell whether there were that many."""
        while len(self._ready) < most:
            piece = next(self.record_iterator, None)
            if piece is None:
                return False
            first = self.fetch_offset  # may be in the middle of a batch
            self._ready += [one for one in piece.records if one.place >= first]
            self._then, self.leader_epoch = piece.next, piece.epoch
        return True
