"""Marked answers (DAWN) in the query log: which they are, and their inputs under lock and key.

A record is one whose decision in force made the gateway serve another class than the model's: `enforced` is there, and
`served` names another class than `output`. Whether an output step or a mark did that, verification tells by the secret.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import structlog
from cryptography.fernet import Fernet, InvalidToken

from consumers.store.facts import Mark
from detector.records import Output, Record
from detector.times import parse_time
from detector.wire.facts import REFUSED
from detector.wire.ids import id_bytes

_DECODER = msgspec.json.Decoder(Record)
Opened = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64], int]
log = structlog.get_logger()


class BadMarksKey(ValueError):  # noqa: N818  # named for what it says to the operator
    """A key that did not encrypt the marks that are kept; the message says what to do."""

    for_people = True  # the command line prints the message as it is


class Keep:
    """What a partition does with marks: seals them, or says once that it may not keep them."""

    def __init__(self, key: str) -> None:
        """`key` is a Fernet key; empty: nothing is kept."""
        self._key = key.encode()
        self._told = False

    def __call__(self, records: Sequence[bytes]) -> list[Mark]:
        """Return the marks among enforced records, sealed."""
        if self._key:
            return [sealed(mark, self._key) for mark in found(records)]
        if not self._told and found(records):
            log.warning("answers are marked and cannot be kept: set GAMEKEEPER_MARKS_KEY, or no copy names its thief")
            self._told = True
        return []


def found(records: Sequence[bytes]) -> list[Mark]:
    """Return the marks among JSON records, with their inputs as they were sent."""
    read = map(_read, records)
    return [mark for record in read if record is not None and (mark := _mark(record)) is not None]


def sealed(mark: Mark, key: bytes) -> Mark:
    """Return the mark with its input encrypted (Fernet: AES-128-CBC, HMAC-SHA256)."""
    return msgspec.structs.replace(mark, input=Fernet(key).encrypt(mark.input))


def opened(mark: Mark, key: bytes) -> npt.NDArray[np.float32]:
    """Return the mark's input in its shape, as float32. Raises BadMarksKey."""
    try:
        data = Fernet(key).decrypt(mark.input)
    except InvalidToken as error:
        raise BadMarksKey(
            "GAMEKEEPER_MARKS_KEY is not the key that these marks were kept with; set that one"
        ) from error
    return np.frombuffer(data, np.dtype(mark.dtype).newbyteorder("<")).reshape(mark.shape).astype(np.float32)


def by_model(kept: Sequence[Mark], key: str) -> dict[str, Opened]:
    """Return marks of one client by model: inputs f4[n, …], true and served labels i8[n], classes. Raises BadMarksKey.

    Of each model those in the shape of its newest mark.
    """
    shape = {mark.model: (mark.shape, mark.classes) for mark in reversed(kept)}  # the newest comes first
    same = [mark for mark in kept if (mark.shape, mark.classes) == shape[mark.model]]
    return {
        model: (
            np.stack([opened(mark, key.encode()) for mark in same if mark.model == model]),
            np.array([mark.true_label for mark in same if mark.model == model], np.int64),
            np.array([mark.served_label for mark in same if mark.model == model], np.int64),
            classes,
        )
        for model, (_, classes) in shape.items()
    }


def _read(value: bytes) -> Record | None:
    """Return a record, or None where a member that the detector does not read is not as it should be."""
    try:
        return _DECODER.decode(value)
    except (ValueError, RecursionError):
        return None


def _mark(record: Record) -> Mark | None:
    given, output = record.input, record.output
    if record.enforced is None or given is None or output is None or (record.status or 0) >= REFUSED:
        return None
    true, served, classes = _label(output), _label(record.served), len(output.probabilities or ())
    if true is None or served is None or true == served or not 0 <= served < classes:
        return None
    return Mark(
        client=record.client,
        model=record.model,
        record=id_bytes(record.id),
        at=parse_time(record.time),
        true_label=true,
        served_label=served,
        classes=classes,
        dtype=given.dtype,
        shape=given.shape,
        input=given.data,
    )


def _label(output: Output | None) -> int | None:
    """Return the class of an answer: the first of the largest; None where it names none by number."""
    if output is None:
        return None
    if output.probabilities and len(output.probabilities) > 1:
        return max(range(len(output.probabilities)), key=output.probabilities.__getitem__)
    return output.label if isinstance(output.label, int) else None
