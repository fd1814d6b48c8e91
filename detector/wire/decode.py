"""Decode: a batch of raw records, of either form and mixed, to queries and unreadable ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType

from detector.query import Shape
from detector.records import CONTENT_TYPE_BATCH, Input
from detector.wire import batch_form, json_record
from detector.wire.columns import Part, assemble
from detector.wire.facts import RECORD_BYTES_MAX, Decoded, Fault, Known, RawRecord, Unreadable
from detector.wire.inputs import nested_shape
from detector.wire.json_form import Place, read_json

_NONE: Mapping[str, int] = MappingProxyType({})


def decode(
    raw: Sequence[RawRecord],
    shapes: Mapping[str, Shape],
    limit_bytes: int = RECORD_BYTES_MAX,
    classes: Mapping[str, int] = _NONE,
) -> Decoded:
    """Return every prediction in `raw`, readable or not; never raises for what a record holds.

    `shapes` gives the models' input shapes (a population or the operator fixes them); queries of other models come
    without their inputs, which are still checked. `classes` gives numbers of classes where known.
    """
    known = Known(shapes, classes, limit_bytes)
    parts: dict[str, list[Part]] = {}
    bad: list[tuple[Place, Unreadable]] = []
    enforced: list[bytes] = []
    for is_batch, start, stop in _runs(raw):
        found, faults, shaped = (_read_batches if is_batch else read_json)(start, raw[start:stop], known)
        bad += faults
        enforced += shaped
        for model, part in found:
            parts.setdefault(model, []).append(part)
    queries = [assemble(mine, shapes.get(model)) for model, mine in parts.items()]
    bad.sort(key=itemgetter(0))
    rows = sum(map(len, queries))
    filled = tuple(one for one in queries if len(one))
    return Decoded(filled, tuple(one for _, one in bad), rows + len(bad), tuple(enforced))


def shapes_seen(raw: Iterable[RawRecord], limit_bytes: int = RECORD_BYTES_MAX) -> dict[str, Counter[Shape]]:
    """Return how often the inputs of each model state each shape: for whoever must find a model's shape out."""
    seen: dict[str, Counter[Shape]] = {}
    for record in raw:
        try:
            value = json_record.usable(record, limit_bytes)
            model, shape, count = _stated_in_batch(value) if _is_batch(record.content_type) else _stated_in_json(value)
        except Fault:
            continue
        if shape is not None:
            seen.setdefault(model, Counter())[shape] += count
    return seen


def _runs(raw: Sequence[RawRecord]) -> Iterator[tuple[bool, int, int]]:
    """Yield runs of records of one form: whether that is the batch record, and where they start and stop."""
    is_batch = {stated: _is_batch(stated) for stated in {one.content_type for one in raw}}
    stop = 0
    for form, run in groupby([is_batch[one.content_type] for one in raw]):
        start, stop = stop, stop + len(list(run))
        yield form, start, stop


def _is_batch(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == CONTENT_TYPE_BATCH


def _read_batches(
    first: int, raws: Sequence[RawRecord], known: Known
) -> tuple[list[tuple[str, Part]], list[tuple[Place, Unreadable]], list[bytes]]:
    """Return the same of batch records as `read_json` of JSON records; none of them names a decision."""
    parts: list[tuple[str, Part]] = []
    bad: list[tuple[Place, Unreadable]] = []
    for index, raw in enumerate(raws, first):
        part, faults = batch_form.read_batch(raw, known)
        bad += [((index, one.row or 0), one) for one in faults]
        parts += [] if part is None else [(part.queries.model, part)]
    return parts, bad, []


def _stated_in_json(value: bytes) -> tuple[str, Shape | None, int]:
    record = json_record.parse(value)
    given = record.input
    if given is None:
        return record.model, None, 1
    return record.model, tuple(given.shape) if isinstance(given, Input) else nested_shape(given)[0], 1


def _stated_in_batch(value: bytes) -> tuple[str, Shape | None, int]:
    batch = batch_form.parse(value)
    return batch.model, None if batch.shape is None else tuple(batch.shape), len(batch.client) // 4
