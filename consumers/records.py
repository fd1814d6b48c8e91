"""RECORDS: where past records come from: files, folders of files, or a range of a Kafka topic."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from consumers.kafka import KafkaError, reachable, read_range
from consumers.record_files import read_file
from detector.brokers import Brokers
from detector.times import parse_time
from detector.wire import RECORD_BYTES_MAX, RawRecord

BATCH_RECORDS = 4096
BATCH_BYTES = 32 << 20  # a batch ends at the record that passes this
SUFFIXES = (".jsonl", ".gz", ".zst", ".gkb")  # taken from a folder; a file named alone may have any
_KAFKA = "kafka://"
_HELP = (
    "give files of JSON lines (.jsonl, .gz, .zst), .gkb files, a folder of them, or kafka://TOPIC?from=TIME&until=TIME"
)


class BadSource(ValueError):  # noqa: N818  # named for what it says to the operator
    """RECORDS that cannot be read; the message is one line that says what is wrong and what to do."""

    for_people = True  # the command line prints the message as it is


def check(sources: Iterable[str]) -> None:
    """Raise BadSource for the first source that is not there or is written wrongly. Asks no broker."""
    for source in sources:
        if source.startswith(_KAFKA):
            _parse(source)
        elif not _files(source):
            raise BadSource(f"{source}: a folder without records; {_HELP}")


def read(
    source: str,
    bootstrap: Brokers | str | None = None,
    batch_records: int = BATCH_RECORDS,
    limit_bytes: int = RECORD_BYTES_MAX,
) -> Iterator[list[RawRecord]]:
    """Yield the records of one source in order, in batches of at most `batch_records`.

    `bootstrap` is needed for `kafka://` only. Of a record above `limit_bytes` in a file only the head is read, enough
    for decoding to call it unreadable. Raises BadSource.
    """
    if source.startswith(_KAFKA):
        batches = _read_topic(source, bootstrap)
        return (part for batch in batches for part in _batches(batch, batch_records))
    return _read_files(source, batch_records, limit_bytes)


def _read_files(source: str, batch_records: int, limit_bytes: int) -> Iterator[list[RawRecord]]:
    for path in _files(source):
        try:
            yield from _batches(read_file(path, limit_bytes), batch_records)
        except OSError as error:
            raise BadSource(f"{path}: {error.strerror or error}; {_HELP}") from error


def _batches(records: Iterable[RawRecord], most: int) -> Iterator[list[RawRecord]]:
    batch: list[RawRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.value or b"")
        if len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _files(source: str) -> Sequence[Path]:
    path = Path(source)
    try:
        if path.is_dir():
            return sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        path.stat()
    except OSError as error:
        raise BadSource(f"{source}: {(error.strerror or str(error)).lower()}; {_HELP}") from error
    return [path]


def _read_topic(source: str, bootstrap: Brokers | str | None) -> Iterator[list[RawRecord]]:
    topic, start, end = _parse(source)
    if bootstrap is None:
        raise BadSource(f"{source}: no Kafka to read from; set KAFKA_BOOTSTRAP_SERVERS")
    if not reachable(bootstrap):
        raise BadSource(f"{source}: no broker answers; check KAFKA_BOOTSTRAP_SERVERS and that Kafka runs")
    try:
        yield from read_range(bootstrap, topic, start, end)
    except (LookupError, KafkaError) as error:
        raise BadSource(f"{source}: {error}; check KAFKA_BOOTSTRAP_SERVERS and the topic's name") from error


def _parse(source: str) -> tuple[str, int | None, int | None]:
    topic, _, query = source.removeprefix(_KAFKA).partition("?")
    bounds: dict[str, int] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name not in {"from", "until"}:
            raise BadSource(f"{source}: {name!r} is not from or until; {_HELP}")
        try:
            bounds[name] = parse_time(unquote(value))  # a plus sign is an offset's, not a blank
        except ValueError as error:
            raise BadSource(f"{source}: {name}: {error}; write 2026-11-23T12:00:00Z") from error
    topic = topic.rstrip("/")
    if not topic:
        raise BadSource(f"{source}: no topic; {_HELP}")
    return topic, bounds.get("from"), bounds.get("until")
