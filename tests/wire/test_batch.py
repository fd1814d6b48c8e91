"""The batch form of the query record: the same queries as JSON gives, and what is unreadable in it."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.query import Queries
from detector.records import CONTENT_TYPE_BATCH, Input, Output, Record
from detector.times import format_time
from detector.wire import RawRecord, decode, encode_batch, shapes_seen
from tests.wire.make import NOON, SHAPES, as_batch, as_json, prediction

ROWS = 6
BROKER = NOON


def columns(**members: Any) -> dict[str, Any]:
    """Return the members of a good batch record of ROWS rows; `members` replace its own, None leaves one out."""
    good = msgspec.msgpack.decode(encode_batch([prediction(number) for number in range(ROWS)]))
    return {name: value for name, value in {**good, **members}.items() if value is not None}


def reasons(broker_time: int | None = None, **members: Any) -> list[tuple[int | None, str]]:
    """Return row and reason of what is unreadable in a batch record; all rows are accounted for."""
    record = RawRecord(msgspec.msgpack.encode(columns(**members)), CONTENT_TYPE_BATCH, broker_time, 9)
    decoded = decode([record], SHAPES)
    assert decoded.read == sum(map(len, decoded.queries)) + len(decoded.unreadable)
    assert all(one.place == 9 for one in decoded.unreadable)
    return [(one.row, one.reason) for one in decoded.unreadable]


def same(left: Queries, right: Queries) -> None:
    """Check that two batches say the same of the same clients; where they were read may differ."""
    assert left.model == right.model
    assert [left.clients[at] for at in left.client] == [right.clients[at] for at in right.client]
    tenants = (dict(zip(one.clients, one.tenants, strict=True)) for one in (left, right))
    assert next(tenants) == next(tenants)
    for name in ("time", "id", "scored", "has_input", "input", "label", "margin_low", "margin_high"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), name)


outputs = st.sampled_from(["probabilities", "label", "confidence"])
dtypes = st.sampled_from(["uint8", "float16", "float32", "float64"])


@st.composite
def predictions(draw: st.DrawFn) -> list[Record]:
    """Draw predictions that fit into one batch record."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    dtype, form, classes = draw(dtypes), draw(outputs), draw(st.integers(1, 5))
    with_input = draw(st.booleans())
    return [_drawn(random, dtype if with_input else None, form, classes) for _ in range(draw(st.integers(1, 12)))]


def _drawn(random: np.random.Generator, dtype: str | None, form: str, classes: int) -> Record:
    given_input = None if dtype is None else Input([4, 2], dtype, (random.random(8) * 200).astype(dtype).tobytes())
    output = {
        "probabilities": Output(random.random(classes).tolist()),
        "label": Output(label=int(random.integers(100))),
        "confidence": Output(label=int(random.integers(100)), confidence=float(random.random())),
    }[form]
    client = int(random.integers(3))
    return prediction(
        id=["7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "plain"][random.integers(2)] + str(random.integers(5)),
        time=format_time(int(random.integers(0, 2 * NOON))),
        client=f"key_{client}",
        tenant=[None, "acme", "é"][client],
        input=given_input,
        output=output,
        status=[None, 200, 429][random.integers(3)],
    )


@settings(max_examples=60, deadline=None)
@given(predictions())
def test_either_way_the_same(records: list[Record]) -> None:
    """The same predictions give the same queries, sent one by one or as a batch."""
    one_by_one, at_once = decode(as_json(records), SHAPES), decode(as_batch(records), SHAPES)
    assert one_by_one.unreadable == at_once.unreadable == ()
    assert one_by_one.read == at_once.read == len(records)
    same(one_by_one.queries[0], at_once.queries[0])


def test_mixed_stream_keeps_its_order() -> None:
    """JSON and batch records in one poll give one batch a model in the order of the stream."""
    records = [prediction(number) for number in range(9)]
    single, many = as_json(records), as_batch(records[3:7])
    mixed = decode([*single[:3], *many, *single[7:]], SHAPES)
    same(mixed.queries[0], decode(single, SHAPES).queries[0])
    assert mixed.queries[0].row.tolist() == [0, 0, 0, 0, 1, 2, 3, 0, 0]


@pytest.mark.parametrize(
    ("members", "start"),
    [
        ({"time": bytes(8 * ROWS - 1)}, "time: 47 bytes where 6 rows need 48"),
        ({"id": bytes(16)}, "id: 16 bytes where 6 rows need 96"),
        ({"status": bytes(ROWS)}, "status: 6 bytes"),
        ({"action": bytes(ROWS + 1)}, "action: 7 bytes"),
        ({"input": bytes(ROWS)}, "input: 6 bytes where 6 rows need 192"),
        ({"shape": [2**62] * 30}, "input: 192 bytes where 6 rows need"),
        ({"shape": [0]}, "input.shape: (0) has an axis below 1"),
        ({"shape": None}, "input: without shape or dtype"),
        ({"dtype": "int8"}, "input.dtype: 'int8' is not one of"),
        ({"probabilities": bytes(25)}, "probabilities: 25 bytes do not make 6 equal rows"),
        ({"probabilities": b""}, "probabilities: 0 bytes"),
        ({"probabilities": None, "label": bytes(ROWS)}, "label: 6 bytes"),
        ({"tenants": [None]}, "tenants: 1 entries for 5 clients"),
        ({"source_ips": []}, "source_ips: 0 entries for 5 clients"),
        ({"client": b""}, "client: 0 rows, not in 1..65536"),
        ({"client": bytes(4 * 65_537)}, "client: 65537 rows, not in"),
        ({"client": None}, "client: missing"),
        ({"clients": [7]}, "clients[0]: expected `str`"),
        ({"model": "*"}, "model: '*'"),
        ({"v": 2}, "v: invalid value 2"),
    ],
)
def test_unreadable_record(members: dict[str, Any], start: str) -> None:
    """Columns that do not fit together make the whole record unreadable, as one."""
    found = reasons(**members)
    assert [row for row, _ in found] == [None]
    assert found[0][1].startswith(start)


@pytest.mark.parametrize("value", [b"", b"\x80", b"\x91" * 100_000, b"\xdf\xff\xff\xff\xff", b"{}", None])
def test_unreadable_bytes(value: bytes | None) -> None:
    """What is no msgpack map of ours is unreadable as a whole."""
    decoded = decode([RawRecord(value, CONTENT_TYPE_BATCH, None, 1)], SHAPES)
    assert (decoded.read, len(decoded.unreadable), decoded.queries) == (1, 1, ())


def test_bad_rows_are_unreadable_alone() -> None:
    """A fault of one row leaves the others readable; the first bad row carries the record's head."""
    good = columns()
    inputs = np.frombuffer(good["input"], "<f4").copy().reshape(ROWS, 8)
    inputs[1, 3] = np.nan
    probabilities = np.frombuffer(good["probabilities"], "<f4").copy().reshape(ROWS, 3)
    probabilities[2] = [0, 2, 0]
    time = np.frombuffer(good["time"], "<i8").copy()
    time[3], time[4] = -1, BROKER + 2 * 86_400_000_000
    client = np.frombuffer(good["client"], "<u4").copy()
    client[5] = 5
    changed = {"input": inputs, "probabilities": probabilities, "time": time, "client": client}
    record = msgspec.msgpack.encode(columns(**{name: array.tobytes() for name, array in changed.items()}))
    decoded = decode([RawRecord(record, CONTENT_TYPE_BATCH, BROKER, 9)], SHAPES)
    assert [(one.row, one.reason.split(":")[0]) for one in decoded.unreadable] == [
        (1, "input"),
        (2, "output.probabilities"),
        (3, "time"),
        (4, "time"),
        (5, "client"),
    ]
    assert [one.head for one in decoded.unreadable] == [record[:4096], b"", b"", b"", b""]
    assert (decoded.queries[0].row.tolist(), decoded.read) == ([0], ROWS)


def test_bad_names_are_the_fault_of_their_rows() -> None:
    """A client's name that cannot be makes its own rows unreadable."""
    found = reasons(clients=["key_0", "", "a\0", "key_3", "key_4"])
    assert found == [(1, "client: empty"), (2, "client: holds a control character")]


def test_another_shape() -> None:
    """Well-formed rows of a shape that is not the model's are unreadable one by one."""
    found = reasons(shape=[2, 4])
    assert found == [(row, "input.shape: (2, 4) is not the model's (4, 2)") for row in range(ROWS)]


def test_labels_and_confidence() -> None:
    """A label below zero and a confidence that is no probability are their rows' fault; no output is each row's."""
    label = np.array([1, -1, 2, 3, 4, 5], "<i4").tobytes()
    confidence = np.array([0.5, 0.5, np.nan, 1.5, 1, 0], "<f4").tobytes()
    found = reasons(probabilities=None, label=label, confidence=confidence)
    assert [(row, why.split(":")[0]) for row, why in found] == [
        (1, "output.label"),
        (2, "output.confidence"),
        (3, "output.confidence"),
    ]
    assert [row for row, _ in reasons(probabilities=None)] == list(range(ROWS))


def test_refused_rows_need_no_output() -> None:
    """The columns' filler at rows answered with 4xx or 5xx is not looked at."""
    filler = np.full((ROWS, 3), np.nan, "<f4").tobytes()
    status = np.full(ROWS, 403, "<u2").tobytes()
    assert reasons(probabilities=filler, status=status) == []
    assert reasons(probabilities=None, status=status) == []


def test_size_limit() -> None:
    """The size limit holds for batch records."""
    record = as_batch([prediction()])[0]
    assert record.value is not None
    decoded = decode([record], SHAPES, limit_bytes=len(record.value) - 1)
    assert decoded.unreadable[0].reason.startswith("record: more than")


@pytest.mark.parametrize(
    "others",
    [
        {"model": "other"},
        {"input": None},
        {"input": Input([8], "float32", bytes(32))},
        {"output": None},
        {"output": Output([0.5])},
        {"output": Output(label=1)},
    ],
)
def test_writer_refuses_what_does_not_fit(others: dict[str, Any]) -> None:
    """Predictions of different models, shapes or forms of output cannot share a batch record."""
    with pytest.raises(ValueError, match=r".+"):
        encode_batch([prediction(0), prediction(1, **others)])


def test_writer_refuses_opaque_labels_and_nothing() -> None:
    """Opaque labels have no place in a batch record, and an empty one is none."""
    with pytest.raises(ValueError, match="class index"):
        encode_batch([prediction(output=Output(label="cat"))])
    with pytest.raises(ValueError, match="needs a row"):
        encode_batch([])


def test_shapes_seen() -> None:
    """A batch record's shape counts once a row."""
    assert shapes_seen(as_batch([prediction(number) for number in range(3)])) == {"digits": {(4, 2): 3}}
