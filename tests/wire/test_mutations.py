"""Ten thousand mutations of good records: nothing raises, and everything is accounted for."""

import random

import pytest

from detector.records import CONTENT_TYPE_BATCH, Output, encode_record
from detector.wire import RawRecord, decode, encode_batch
from tests.wire.make import SHAPES, prediction

MUTATIONS = 10_000
ROWS = 4
TOKENS = [b"null", b"-1", b"1e999", b"[]", b"{}", b'"', b"true", b"\\u0000", b"\xff", b"NaN", b"9" * 40, b"[[", b"2"]


def mutate(value: bytes, dice: random.Random) -> bytes:
    """Return `value` with one to three random changes."""
    for _ in range(dice.randint(1, 3)):
        at, end = sorted(dice.choices(range(len(value) + 1), k=2))
        end = min(end, at + dice.choice([1, 4, 40]))
        middle = dice.choice([dice.randbytes(end - at), b"", value[at:end] * 2, dice.choice(TOKENS)])
        value = value[:at] + middle + value[end:]
    return value


@pytest.mark.parametrize("form", ["json", "batch"])
def test_mutations(form: str) -> None:
    """Mutated records of either form end as queries or unreadable, and good ones beside them stay readable."""
    dice = random.Random(form)  # noqa: S311  # a test's dice, the same each time
    records = [prediction(number) for number in range(ROWS)]
    good = [encode_record(record) for record in [*records, prediction(9, output=Output(label="cat"))]]
    content_type = None
    if form == "batch":
        good, content_type = [encode_batch(records)], CONTENT_TYPE_BATCH
    values = [mutate(dice.choice(good), dice) for _ in range(MUTATIONS // 2)]
    witness = RawRecord(encode_record(prediction(77, client="witness")), None, None, -1)
    found = 0
    for start in range(0, len(values), 250):
        raw = [RawRecord(value, content_type, None, at) for at, value in enumerate(values[start : start + 250], start)]
        decoded = decode([*raw, witness], SHAPES)
        assert decoded.read == sum(map(len, decoded.queries)) + len(decoded.unreadable)
        accounted = {int(place) for queries in decoded.queries for place in queries.place}
        assert accounted | {one.place for one in decoded.unreadable} == {record.place for record in [*raw, witness]}
        assert all(one.reason.isprintable() and one.reason for one in decoded.unreadable)
        found += len(decoded.unreadable)
        assert any("witness" in queries.clients for queries in decoded.queries)
    assert found > MUTATIONS // 10
