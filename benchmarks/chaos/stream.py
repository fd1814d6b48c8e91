"""The known stream: ordinary clients and thieves of a small model, who come and go, in JSON and in batch records."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from kafka.partitioner.default import murmur2

from benchmarks import traffic
from detector.records import Record, encode_record
from detector.wire import encode_batch, frame

QUERIES = 120  # of a client
THIEVES = 50  # one client in so many steals
BEFORE = 32  # queries that a thief asks as ordinary clients do before it steals
SEGMENT, BATCHED = 400, 6  # of every 6 segments of 400 predictions the last goes as batch records
REPEATED, REFUSED, BROKEN = 0.005, 0.005, 0.002  # shares: the same record again, answered with 429, cut off
_POSITIVE = 0x7FFFFFFF  # Kafka's partitioner takes the hash without its sign

Asked = tuple[float, str, bytes]  # position in the stream 0..1, client, JSON record


@dataclass(frozen=True, slots=True)
class Sent:
    """One Kafka record; `predictions` is how many must be accounted for because of it."""

    partition: int
    key: bytes | None
    value: bytes
    batch: bool
    predictions: int


def make(seed: int, clients: int, partitions: int) -> list[Sent]:
    """Return the stream in the order in which it is written; the same for the same arguments."""
    chance = np.random.default_rng(seed)
    asked = [one for number in range(clients) for one in _life(f"client-{number}", number, chance)]
    asked.sort(key=lambda one: one[0])
    segments = [asked[at : at + SEGMENT] for at in range(0, len(asked), SEGMENT)]
    forms = itertools.cycle([_singly] * (BATCHED - 1) + [_together])
    return [sent for segment, form in zip(segments, forms, strict=False) for sent in form(segment, partitions)]


def keep(stream: Sequence[Sent], file: Path) -> None:
    """Write the stream as a `.gkb` file, for a replay."""
    file.write_bytes(b"".join(frame(sent.value) for sent in stream))


def _life(client: str, number: int, chance: np.random.Generator) -> Iterator[Asked]:
    """Yield what a client asks between its first and its last query."""
    span = chance.uniform(0.05, 0.4)
    places = chance.uniform(0, 1 - span) + span * np.sort(chance.random(QUERIES))
    marks = chance.random(QUERIES)
    for record, place, mark in zip(_records(client, number), places.tolist(), marks.tolist(), strict=True):
        yield from ((place, client, one) for one in _mutated(record, mark))


def _records(client: str, number: int) -> Iterator[bytes]:
    if number % THIEVES:
        return traffic.records(client, traffic.ordinary(client, QUERIES))
    asked = [traffic.ordinary(client, BEFORE), traffic.bisecting(client, QUERIES - BEFORE)]
    return traffic.records(client, np.concatenate(asked))


def _mutated(record: bytes, mark: float) -> list[bytes]:
    if mark < BROKEN:
        return [record, record[:-9]]
    if mark < BROKEN + REPEATED:
        return [record, record]
    if mark < BROKEN + REPEATED + REFUSED:
        return [record, encode_record(msgspec.structs.replace(_read(record), id=f"refused {mark}", status=429))]
    return [record]


def _read(record: bytes) -> Record:
    return msgspec.json.decode(record, type=Record)


def _singly(asked: Sequence[Asked], partitions: int) -> Iterator[Sent]:
    for _, client, record in asked:
        yield Sent(_partition(client, partitions), client.encode(), record, batch=False, predictions=1)


def _together(asked: Sequence[Asked], partitions: int) -> Iterator[Sent]:
    """Yield one batch record a partition, in front of the records that cannot be read and so not be packed."""
    rows: dict[int, list[Record]] = {}
    for one in asked:
        try:
            rows.setdefault(_partition(one[1], partitions), []).append(_read(one[2]))
        except msgspec.DecodeError:
            yield from _singly([one], partitions)
    for partition, records in rows.items():
        yield Sent(partition, None, encode_batch(records), batch=True, predictions=len(records))


def _partition(client: str, partitions: int) -> int:
    hashed: int = murmur2(client.encode()) & _POSITIVE
    return hashed % partitions
