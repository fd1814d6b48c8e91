"""How fast records are decoded, to be read by a person: `python -m tests.wire.speed`. Nothing is asserted."""

import sys
import time
from collections.abc import Sequence

import numpy as np

from detector.records import CONTENT_TYPE_BATCH, Input, Output, Record, encode_record
from detector.times import format_time
from detector.wire import RawRecord, decode, encode_batch
from tests.wire.make import NOON

RECORDS = 20_000
BATCH = 4_000
ROWS = 500  # of a batch record
SHAPES = {"digits": (8, 8)}


def main() -> None:
    """Write predictions of 64 float32 a second of CPU, the best of three, for both forms."""
    records = [_prediction(number) for number in range(RECORDS)]
    single = [RawRecord(encode_record(record), None, None, place) for place, record in enumerate(records)]
    parts = [encode_batch(records[start : start + ROWS]) for start in range(0, RECORDS, ROWS)]
    many = [RawRecord(part, CONTENT_TYPE_BATCH, None, place) for place, part in enumerate(parts)]
    for name, raw, size in (("JSON", single, BATCH), ("batch", many, BATCH // ROWS)):
        rate = RECORDS / min(_seconds(raw, size) for _ in range(3))
        sys.stdout.write(f"{name}: {rate:,.0f} predictions/s\n")


def _prediction(number: int) -> Record:
    random = np.random.default_rng(number)
    return Record(
        id=f"{number:026d}",
        time=format_time(NOON + number),
        model="digits",
        client=f"key_{number % 200}",
        input=Input([8, 8], "float32", random.random(64, np.float32).tobytes()),
        output=Output(random.dirichlet(np.ones(10)).tolist()),
        status=200,
    )


def _seconds(raw: Sequence[RawRecord], size: int) -> float:
    started = time.process_time()
    for start in range(0, len(raw), size):
        decode(raw[start : start + size], SHAPES)
    return time.process_time() - started


if __name__ == "__main__":
    main()
