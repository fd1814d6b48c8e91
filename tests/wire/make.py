"""Predictions to test with: good ones, and how they look in either form."""

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from detector.records import CONTENT_TYPE_BATCH, Input, Output, Record, encode_record
from detector.times import format_time
from detector.wire import Decoded, RawRecord, decode, encode_batch

NOON = 1_795_435_200_000_000  # 2026-11-23T12:00:00Z
SHAPES = {"digits": (4, 2)}


def prediction(number: int = 0, **members: Any) -> Record:
    """Return a good prediction, another for each number; `members` replace its own."""
    random = np.random.default_rng(number)
    plain: dict[str, Any] = {
        "id": str(uuid.UUID(int=number + 1)),
        "time": format_time(NOON + number * 1_000),
        "model": "digits",
        "client": f"key_{number % 5}",
        "tenant": "acme",
        "input": Input([4, 2], "float32", random.random(8, np.float32).tobytes()),
        "output": Output(random.dirichlet(np.ones(3)).astype(np.float32).tolist()),
        "status": 200,
    }
    return Record(**{**plain, **members})


def raw(value: bytes | None, place: int = 1, broker_time: int | None = None) -> RawRecord:
    """Return a JSON record as it is read."""
    return RawRecord(value, None, broker_time, place)


def changed(**members: Any) -> bytes:
    """Return a good JSON record with members replaced; those that are UNSET are left out."""
    plain = msgspec.json.decode(encode_record(prediction()))
    together = {name: value for name, value in {**plain, **members}.items() if value is not msgspec.UNSET}
    return msgspec.json.encode(together)


def as_json(predictions: Sequence[Record]) -> list[RawRecord]:
    """Return one JSON record a prediction."""
    return [raw(encode_record(one), place) for place, one in enumerate(predictions, 1)]


def as_batch(predictions: Sequence[Record]) -> list[RawRecord]:
    """Return the one batch record of the predictions."""
    return [RawRecord(encode_batch(predictions), CONTENT_TYPE_BATCH, None, 1)]


def reason(value: bytes | None, broker_time: int | None = None) -> str:
    """Return why a JSON record is unreadable; fails if it is not."""
    return why(decode([raw(value, 1, broker_time)], SHAPES))


def why(decoded: Decoded) -> str:
    """Return the reason of the only prediction, which must be unreadable."""
    assert decoded.read == 1
    assert not decoded.queries
    return decoded.unreadable[0].reason
