"""Replay: the verdicts that old records lead to. No Kafka and no Postgres needed; the same every time.

The lines do not depend on how the records are cut into batches: each record is numbered through all sources, and
what people said is heard before a numbered record.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from consumers import told
from consumers.files import replacing
from consumers.records import BATCH_RECORDS, check, read
from consumers.said import Said, read_feedback
from detector.brokers import Brokers
from detector.detector import ClientLine, Detector
from detector.policy import Policy
from detector.population import Population
from detector.query import Queries
from detector.times import format_time
from detector.verdict import Feedback, Verdict
from detector.wire import RECORD_BYTES_MAX, RawRecord, Unreadable, decode

__all__ = ["Options", "Outputs", "Totals", "read_feedback", "replay"]

Order = tuple[int, int, int]  # number of the deciding record, its row, 0: heard before it or 1: reached by it


@dataclass(frozen=True, slots=True)
class Totals:
    """Predictions so far: read = scored + counted + unreadable."""

    read: int = 0
    scored: int = 0  # of models with a population, not answered with 4xx or 5xx
    counted: int = 0  # the other readable ones
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files to write, one JSON object a line; each appears when it is whole."""

    verdicts: Path
    clients: Path | None = None
    unreadable: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How to replay; none of it but `feedback` and `limit_bytes` can change a verdict."""

    feedback: Sequence[Feedback] = ()
    bootstrap: Brokers | str | None = None  # for kafka:// sources
    batch_records: int = BATCH_RECORDS
    limit_bytes: int = RECORD_BYTES_MAX
    progress: Callable[[Totals], None] | None = None  # called after every batch


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of one source; `raw` is numbered from `first` through all sources."""

    source: str
    raw: list[RawRecord]
    first: int
    places: list[int]  # where each record is in its source


def replay(
    sources: Sequence[str],
    populations: Mapping[str, Population],
    policy: Policy,
    outputs: Outputs,
    options: Options = Options(),
) -> Totals:
    """Write the verdicts that the records of `sources` lead to. Raises BadSource before anything is written."""
    check(sources)
    detector = Detector(policy, populations)
    said = Said(options.feedback)
    shapes = {model: population.shape for model, population in populations.items()}
    totals = Totals()
    with ExitStack() as files:
        verdicts, clients, unreadable = (
            files.enter_context(replacing(path)) for path in (outputs.verdicts, outputs.clients, outputs.unreadable)
        )
        for batch in batches(sources, options):
            decoded = decode(batch.raw, shapes, options.limit_bytes)
            for verdict in assess(detector, decoded.queries, said):
                verdicts.write(verdict_line(verdict))
            unreadable.writelines(unreadable_line(batch, one) for one in decoded.unreadable)
            totals = _add(totals, decoded.queries, populations, len(decoded.unreadable))
            if options.progress is not None:
                options.progress(totals)
        for verdict in (verdict for feedback in said.rest() for verdict in detector.hear(feedback)):
            verdicts.write(verdict_line(verdict))
        _write_clients(clients, detector)
    return totals


def verdict_line(verdict: Verdict) -> bytes:
    """Return the line of a verdict, with its newline."""
    return _line(
        {
            "client": verdict.client,
            "model": verdict.model,
            "queries": verdict.queries,
            "time": format_time(verdict.time),
            "standing": verdict.standing.value,
            "action": verdict.action.word,
            "shadow": verdict.shadow,
            "score": verdict.score,
            "leakage": verdict.leakage,
            "evidence": [
                {
                    "signal": reading.signal,
                    "value": reading.value,
                    "because": reading.because,
                    "examples": told.examples(reading),
                }
                for reading in verdict.evidence
            ],
        }
    )


def client_line(line: ClientLine) -> bytes:
    """Return the line of a client and model, with its newline."""
    return _line(
        {
            "client": line.client,
            "model": line.model,
            "queries": line.queries,
            "standing": line.standing.value,
            "highest_standing": line.highest_standing.value,
            "action": line.action.word,
            "score": line.score,
            "leakage": line.leakage,
            "first_block_at_query": line.first_block_at_query,
        }
    )


def unreadable_line(batch: Batch, one: Unreadable) -> bytes:
    """Return the line of an unreadable record, with its newline; `head` is its first bytes in base64."""
    place = batch.places[one.place - batch.first]
    line = {"source": batch.source, "place": place, "row": one.row, "reason": one.reason, "head": one.head}
    return _line(line)


def _line(members: dict[str, Any]) -> bytes:
    return msgspec.json.encode(members) + b"\n"


def batches(sources: Sequence[str], options: Options) -> Iterator[Batch]:
    """Yield the records of all sources, numbered through."""
    first = 0
    for source in sources:
        for raw in read(source, options.bootstrap, options.batch_records, options.limit_bytes):
            numbered = [msgspec.structs.replace(record, place=first + at) for at, record in enumerate(raw)]
            yield Batch(source, numbered, first, [record.place for record in raw])
            first += len(raw)


def assess(detector: Detector, batch: Sequence[Queries], said: Said) -> list[Verdict]:
    """Return the verdicts of a batch in the order of the deciding records, whichever models they speak of."""
    reached: list[tuple[Order, Verdict]] = []
    for queries in batch:
        start = 0
        for row, feedback in said.before(queries):
            if row > start:
                reached += _reached(detector.assess(queries.take(slice(start, row))))
                start = row
            at = (int(queries.place[row]), int(queries.row[row]), 0)
            reached += [(at, verdict) for verdict in detector.hear(feedback)]
        reached += _reached(detector.assess(queries.take(slice(start, None))))
    reached.sort(key=lambda item: item[0])
    return [verdict for _, verdict in reached]


def _reached(verdicts: Sequence[Verdict]) -> list[tuple[Order, Verdict]]:
    return [((verdict.place, verdict.row, 1), verdict) for verdict in verdicts]


def _add(totals: Totals, batch: Sequence[Queries], populations: Mapping[str, Population], unreadable: int) -> Totals:
    readable = sum(map(len, batch))
    scored = sum(int(queries.scored.sum()) for queries in batch if queries.model in populations)
    return Totals(
        read=totals.read + readable + unreadable,
        scored=totals.scored + scored,
        counted=totals.counted + readable - scored,
        unreadable=totals.unreadable + unreadable,
    )


def _write_clients(file: BinaryIO, detector: Detector) -> None:
    lines = sorted(detector.clients(), key=lambda line: (line.client, line.model))
    file.writelines(client_line(line) for line in lines)
