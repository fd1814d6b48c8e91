"""JSON records read together are read as each would be alone."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.records import encode_record
from detector.wire import Decoded, RawRecord, decode, json_run
from detector.wire.facts import Fault
from tests.wire.make import NOON, SHAPES, changed, prediction

LIMIT = 2_000
DAY = 86_400_000_000
GOOD = encode_record(prediction())
UNUSUAL: tuple[bytes | None, ...] = (
    None,
    b"",
    b" ",
    b"{",
    b"null",
    GOOD + b" " + GOOD,
    GOOD + b"\n" + GOOD,
    b"\n" + GOOD,
    GOOD.replace(b",", b",\n"),
    GOOD[:-1],
    GOOD[: len(GOOD) // 2],
    GOOD[len(GOOD) // 2 :],
    GOOD + b" " * LIMIT,
    b"\xff" + GOOD,
    b"\xef\xbb\xbf" + GOOD,
    changed(id=""),
    changed(id="x" * 300),
    changed(id="an id of another form"),
    changed(time="2026-11-23T12:00:00Z"),
    changed(time="2026-11-23T13:00:00.25+01:00"),
    changed(time="2026-11-23t12:00:00z"),
    changed(time="2026-13-23T12:00:00.000000Z"),
    changed(time="2026-02-30T12:00:00.000000Z"),
    changed(time="2026-11-23T24:00:00.000000Z"),
    changed(time="2026-11-23T12:00:60.000000Z"),
    changed(time="1969-12-31T23:59:59.999999Z"),
    changed(time="9999-12-31T23:59:59.999999Z"),
    changed(time="2026-11-24T12:00:00.000001Z"),
    changed(time="0000-00-00T00:00:00.000000Z"),
    changed(time="٢٠٢٦-11-23T12:00:00.000000Z"),
    changed(client="näme 名"),
    changed(client="a\nb"),
    changed(client=""),
    changed(client="x" * 300),
    changed(tenant=""),
    changed(tenant="a\u0000"),
    changed(model="other"),
    changed(model="*"),
    changed(status=429),
    changed(status=-1),
    changed(status=1_000),
    changed(output={"label": "cat"}),
    changed(output={"label": 3, "confidence": 0.5}),
    changed(output={}),
    changed(output=None),
    changed(input=[[0.5, 1.0]] * 4),
    changed(input=None),
    changed(input=[[0.5]]),
    changed(extra={"nested": ["\n"]}),
    changed(v=2),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.one_of(st.just(GOOD), st.sampled_from(UNUSUAL)), max_size=12), st.sampled_from([None, NOON]))
def test_together_and_alone(
    monkeypatch: pytest.MonkeyPatch, values: list[bytes | None], broker_time: int | None
) -> None:
    """Whatever stands beside a record, it is read, or refused in the same words, as if it came alone."""
    raws = [RawRecord(value, None, broker_time, place) for place, value in enumerate(values)]
    together = decode(raws, SHAPES, LIMIT)
    with monkeypatch.context() as patched:
        patched.setattr(json_run, "_doubtful", _all)
        patched.setattr(json_run, "parse_all", _not_all)
        alone = decode(raws, SHAPES, LIMIT)
    assert _plain(together) == _plain(alone)


@pytest.mark.parametrize("value", UNUSUAL)
def test_each_unusual_one_among_many(monkeypatch: pytest.MonkeyPatch, value: bytes | None) -> None:
    """Every kind is met at least once, between good ones."""
    raws = [RawRecord(one, None, NOON, place) for place, one in enumerate((GOOD, value, GOOD))]
    together = decode(raws, SHAPES, LIMIT)
    monkeypatch.setattr(json_run, "_doubtful", _all)
    monkeypatch.setattr(json_run, "parse_all", _not_all)
    assert _plain(together) == _plain(decode(raws, SHAPES, LIMIT))
    assert together.read == len(raws)


@pytest.mark.parametrize("between", [b"", b" ", b"\t", b"\r", b"\n", b","])
def test_two_values_do_not_make_up_for_none(between: bytes) -> None:
    """A record of two values beside one of none: both are unreadable, and nobody's place is taken."""
    raws = [RawRecord(value, None, NOON, place) for place, value in enumerate((GOOD + between + GOOD, b" ", GOOD))]
    together = decode(raws, SHAPES)
    assert [one.place for one in together.unreadable] == [0, 1]
    assert [one.place.tolist() for one in together.queries] == [[2]]


def test_usual_records_are_checked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of a thousand ordinary records is checked alone: that would cost half as much time again."""
    monkeypatch.delattr(json_run, "checked")
    raws = [RawRecord(encode_record(prediction(number)), None, NOON + DAY, number) for number in range(1_000)]
    assert decode(raws, SHAPES).read == len(raws)


def _all(read: Sequence[Any], _time: Any, _raws: Sequence[RawRecord]) -> list[int]:
    return list(range(len(read)))


def _not_all(_raws: Sequence[RawRecord], _limit: int) -> list[Any]:
    raise Fault("each is to be parsed alone")


def _plain(found: Decoded) -> tuple[Any, ...]:
    columns = [
        {field.name: _value(getattr(one, field.name)) for field in dataclasses.fields(one)} for one in found.queries
    ]
    return columns, [msgspec.to_builtins(dataclasses.asdict(one)) for one in found.unreadable], found.read


def _value(column: Any) -> Any:
    return (column.dtype.str, column.shape, column.tobytes()) if isinstance(column, np.ndarray) else column


@pytest.mark.parametrize("broker_time", [1 << 62, 1 << 63, 1 << 80])
def test_a_broker_may_state_any_time(broker_time: int) -> None:
    """The time that a broker wrote is another program's word: none makes the run of records fail."""
    found = decode([RawRecord(GOOD, None, broker_time, 0), RawRecord(GOOD, None, NOON, 1)], SHAPES)

    assert [len(one) for one in found.queries] == [2]
