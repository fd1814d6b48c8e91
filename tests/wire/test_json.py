"""The JSON form of the query record: what is readable, what is not, and why."""

import base64
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.query import Queries
from detector.records import CONTENT_TYPE_BATCH
from detector.wire import RawRecord, decode, id_bytes, label_code, shapes_seen
from detector.wire.ids import id_column
from tests.wire.make import NOON, SHAPES, changed, prediction, raw, reason

UNSET = msgspec.UNSET
DAY = 86_400_000_000
NESTED = msgspec.json.decode("[" * 40 + "0" + "]" * 40)


def only(value: bytes, **known: Any) -> Queries:
    """Return the query of one readable record."""
    decoded = decode([raw(value)], **{"shapes": SHAPES, **known})
    assert decoded.unreadable == ()
    assert decoded.read == 1
    return decoded.queries[0]


def tensor(values: Any, dtype: str, shape: list[int] | None = None) -> dict[str, Any]:
    """Return an input object with little-endian data."""
    array = np.asarray(values, np.dtype(dtype).newbyteorder("<"))
    data = base64.b64encode(array.tobytes()).decode()
    return {"shape": list(array.shape) if shape is None else shape, "dtype": dtype, "data": data}


UNREADABLE: list[tuple[str, dict[str, Any], str]] = [
    ("id missing", {"id": UNSET}, "id: missing"),
    ("time missing", {"time": UNSET}, "time: missing"),
    ("model missing", {"model": UNSET}, "model: missing"),
    ("client missing", {"client": UNSET}, "client: missing"),
    ("output missing", {"output": UNSET}, "output: missing"),
    ("output null", {"output": None}, "output: missing"),
    ("output empty", {"output": {}}, "output: neither probabilities nor label"),
    ("client a number", {"client": 7}, "client: expected `str`"),
    ("client null", {"client": None}, "client: expected `str`"),
    ("client empty", {"client": ""}, "client: empty"),
    ("client with NUL", {"client": "a\0b"}, "client: holds a control character"),
    ("client too long", {"client": "k" * 513}, "client: longer than 512 bytes"),
    ("client too long in UTF-8", {"client": "é" * 257}, "client: longer than 512 bytes"),
    ("tenant with a line feed", {"tenant": "a\nb"}, "tenant: holds a control character"),
    ("tenant a list", {"tenant": []}, "tenant: expected"),
    ("model empty", {"model": ""}, "model: empty"),
    ("model any", {"model": "*"}, "model: '*'"),
    ("model too long", {"model": "m" * 257}, "model: longer than 256 bytes"),
    ("id empty", {"id": ""}, "id: empty"),
    ("id too long", {"id": "i" * 513}, "id: empty or longer"),
    ("id a number", {"id": 5}, "id: expected `str`"),
    ("version 2", {"v": 2}, "v: invalid value 2"),
    ("version null", {"v": None}, "v: expected `int`"),
    ("status a text", {"status": "200"}, "status: expected"),
    ("status negative", {"status": -1}, "status: not in"),
    ("time naive", {"time": "2026-11-23T12:00:00"}, "time: no offset"),
    ("time too fine", {"time": "2026-11-23T12:00:00.1234567Z"}, "time: finer than microseconds"),
    ("time a leap second", {"time": "2026-12-31T23:59:60Z"}, "time: a leap second"),
    ("time with a blank", {"time": "2026-11-23 12:00:00Z"}, "time: not an RFC 3339 time"),
    ("time no day", {"time": "2026-02-30T12:00:00Z"}, "time: no such date"),
    ("time a number", {"time": 1795435200}, "time: expected `str`"),
    ("time before 1970", {"time": "1969-12-31T23:59:59Z"}, "time: outside"),
    ("time after 8999", {"time": "9000-01-01T00:00:00Z"}, "time: outside"),
    ("probabilities above one", {"output": {"probabilities": [0.1, 1.1]}}, "output.probabilities: not all in 0..1"),
    ("probabilities below zero", {"output": {"probabilities": [-0.1, 1]}}, "output.probabilities: not all in 0..1"),
    ("probabilities beyond float32", {"output": {"probabilities": [1e300]}}, "output.probabilities: not all in 0..1"),
    ("probabilities empty", {"output": {"probabilities": []}}, "output.probabilities: empty"),
    ("probabilities nested", {"output": {"probabilities": [[1.0]]}}, "output.probabilities[0]: expected"),
    ("probabilities of a truth", {"output": {"probabilities": [True]}}, "output.probabilities[0]: expected"),
    ("label negative", {"output": {"label": -1}}, "output.label: not in"),
    ("label too large", {"output": {"label": 2**31}}, "output.label: not in"),
    ("label a fraction", {"output": {"label": 1.5}}, "output.label: expected"),
    ("label a truth", {"output": {"label": True}}, "output.label: expected"),
    ("confidence above one", {"output": {"label": 1, "confidence": 1.01}}, "output.confidence: not in 0..1"),
    ("input a text", {"input": "abc"}, "input: expected"),
    ("input another shape", {"input": tensor(np.zeros((2, 4)), "float32")}, "input.shape: (2, 4) is not the model's"),
    ("input with a batch axis", {"input": tensor(np.zeros((1, 4, 2)), "float32")}, "input.shape: (1, 4, 2)"),
    ("input too short", {"input": tensor(np.zeros(7), "float32", [4, 2])}, "input.data: 28 bytes where"),
    ("input too long", {"input": tensor(np.zeros(9), "float32", [4, 2])}, "input.data: 36 bytes where"),
    ("input of int32", {"input": {**tensor(np.zeros((4, 2)), "float32"), "dtype": "int32"}}, "input.dtype: 'int32'"),
    (
        "input not base64",
        {"input": {"shape": [4, 2], "dtype": "uint8", "data": "AAAA-_=="}},
        "input.data: invalid base64",
    ),
    ("input with NaN", {"input": tensor(np.full((4, 2), np.nan), "float32")}, "input: NaN"),
    ("input with infinity", {"input": tensor(np.full((4, 2), -np.inf), "float16")}, "input: NaN"),
    ("input beyond float32", {"input": tensor(np.full((4, 2), 1e300), "float64")}, "input: NaN, infinity or beyond"),
    ("list beyond float32", {"input": [1e300] * 8}, "input: NaN, infinity or beyond"),
    ("list too short", {"input": [0] * 7}, "input: a list of shape (7) is not"),
    ("list of another shape", {"input": [[0] * 4] * 2}, "input: a list of shape (2, 4) is not"),
    ("list ragged", {"input": [[0, 0], [0, 0], [0], [0, 0, 0]]}, "input: a ragged list"),
    ("list mixed", {"input": [0, [0], 0, 0, 0, 0, 0, 0]}, "input: a ragged list"),
    ("list of texts", {"input": ["0"] * 8}, "input: a ragged list, or one of other things"),
    ("list of truths", {"input": [True] * 8}, "input: a ragged list, or one of other things"),
    ("list empty", {"input": []}, "input: an empty list"),
    ("list too deep", {"input": NESTED}, "input: more than 32 axes"),
]


@pytest.mark.parametrize(("members", "start"), [case[1:] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE])
def test_unreadable_member(members: dict[str, Any], start: str) -> None:
    """The reason names the member and the fault."""
    assert reason(changed(**members)).startswith(start)


@pytest.mark.parametrize(
    ("value", "start"),
    [
        (None, "record: no value"),
        (b"", "not JSON"),
        (b"\n", "not JSON"),
        (b"null", "record: expected `object`"),
        (b"[]", "record: expected `object`"),
        (b"{", "not JSON"),
        (changed()[:-1], "not JSON"),
        (changed() + b"}", "not JSON"),
        (changed().replace(b'"acme"', b"NaN"), "not JSON"),
        (changed(extra="x").replace(b'"x"', b'"\xff"'), "not JSON: 'utf-8' codec"),
        (changed().replace(b"acme", b"\xc3("), "not JSON: 'utf-8' codec"),
        (changed().replace(b"acme", b"\\ud800"), "not JSON"),
        (b"[" * 100_000, "record: expected `object`"),
        (b'{"extra":' + b"[" * 100_000, "not JSON"),
    ],
)
def test_unreadable_bytes(value: bytes | None, start: str) -> None:
    """What is no JSON object in UTF-8 is unreadable as a whole."""
    assert reason(value).startswith(start)


def test_size_limit() -> None:
    """A record may be as large as the limit, and no larger; 4 KiB of it are kept."""
    value = changed(extra="x" * 5000)
    decoded = decode([raw(value), raw(value + b" ")], SHAPES, limit_bytes=len(value))
    assert len(decoded.queries[0]) == 1
    assert decoded.unreadable[0].reason == f"record: more than {len(value)} bytes"
    assert decoded.unreadable[0].head == value[:4096]


def test_reason_is_printable() -> None:
    """A stranger's text in a reason can neither break a terminal nor a database."""
    said = reason(changed(input={"shape": [4, 2], "dtype": "\0\x1b[2J" + "é" * 500, "data": ""}))
    assert said.isprintable()
    assert len(said) <= 200


def test_broker_time() -> None:
    """A time more than a day ahead of the broker's is unreadable; files have no broker time."""
    assert reason(changed(), NOON - DAY - 1) == "time: more than a day ahead of the broker's"
    assert len(decode([raw(changed(), 1, NOON - DAY)], SHAPES).queries[0]) == 1
    assert only(changed(time="2999-01-01T00:00:00Z")).time[0] > NOON


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23t12:00:00z", NOON),
        ("2026-11-23T17:30:00.000001+05:30", NOON + 1),
        ("2026-11-23T04:00:00.5-08:00", NOON + 500_000),
    ],
)
def test_time(text: str, time: int) -> None:
    """Times become µs UTC, exactly."""
    assert only(changed(time=text)).time.tolist() == [time]


def test_unknown_members_and_absent_version() -> None:
    """Unknown members are ignored, at every level; an absent version is 1; of a member given twice the last counts."""
    query = only(changed(v=UNSET, new={"a": [1]}, output={"probabilities": [0, 1], "new": 1}, enforced=5, served="x"))
    assert query.label.tolist() == [1]
    assert only(changed()[:-1] + b',"client":"last"}').clients == ("last",)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_dtypes(dtype: str) -> None:
    """Inputs of every dtype become float32, row-major."""
    values = np.arange(8).reshape(4, 2)
    assert only(changed(input=tensor(values, dtype))).input is not None
    np.testing.assert_array_equal(only(changed(input=tensor(values, dtype))).input, [np.arange(8.0)])


@pytest.mark.parametrize("given_list", [[[0, 1], [2, 3], [4, 5], [6, 7.0]], [0, 1, 2, 3, 4, 5, 6, 7]])
def test_lists(given_list: list[Any]) -> None:
    """A nested list, and a flat one that fills the model's shape, say the same."""
    np.testing.assert_array_equal(only(changed(input=given_list)).input, [np.arange(8.0)])


def test_no_input() -> None:
    """A query without an input is readable, and says so."""
    for absent in (UNSET, None):
        query = only(changed(input=absent))
        assert query.has_input.tolist() == [False]
        assert query.input is not None
        assert not query.input.any()


def test_cold_model() -> None:
    """Without a known shape inputs are checked and left out."""
    query = only(changed(input=tensor(np.zeros((3, 3)), "uint8")), shapes={})
    assert query.input is None
    assert query.has_input.tolist() == [True]
    faulty = decode([raw(changed(input=tensor([np.nan], "float32")))], {})
    assert [one.reason for one in faulty.unreadable] == ["input: NaN, infinity or beyond float32"]


def test_probabilities() -> None:
    """Label and margin come from the two largest, as float32; the first of equal ones is the label."""
    query = only(changed(output={"probabilities": [0.1, 0.7, 0.2]}))
    assert query.label.tolist() == [1]
    assert query.margin_low.tolist() == query.margin_high.tolist() == [np.float32(0.7) - np.float32(0.2)]
    assert only(changed(output={"probabilities": [0.5, 0.5]})).label.tolist() == [0]
    assert only(changed(output={"probabilities": [1 + 1e-9, 0]})).label.tolist() == [0]  # 1 as float32


@pytest.mark.parametrize(("score", "label", "margin"), [(0.0, 0, 1.0), (0.25, 0, 0.5), (0.5, 0, 0.0), (0.75, 1, 0.5)])
def test_binary_score(score: float, label: int, margin: float) -> None:
    """A single probability is that of class 1 of two."""
    query = only(changed(output={"probabilities": [score]}))
    assert (query.label.tolist(), query.margin_low.tolist()) == ([label], [margin])


@pytest.mark.parametrize(
    ("confidence", "classes", "low", "high"),
    [(0.75, None, 0.5, 0.75), (0.75, 2, 0.5, 0.5), (0.75, 3, 0.5, 0.625), (0.25, None, 0.0, 0.25), (0.0, 3, 0.0, 0.0)],
)
def test_confidence(confidence: float, classes: int | None, low: float, high: float) -> None:
    """A label's confidence bounds the margin, closer where the number of classes is known."""
    known = {} if classes is None else {"digits": classes}
    query = only(changed(output={"label": 3, "confidence": confidence}), classes=known)
    assert (query.label.tolist(), query.margin_low.tolist(), query.margin_high.tolist()) == ([3], [low], [high])


def test_labels() -> None:
    """A label without confidence has no margin; opaque ones are told apart from each other and from indices."""
    query = only(changed(output={"label": 3}))
    assert math.isnan(query.margin_low[0])
    codes = [int(only(changed(output={"label": text})).label[0]) for text in ("3", "cat", "dog", "")]
    assert len({3, *codes}) == 5
    assert codes[1] == label_code("cat") == 0x7327DD2C7B9D982F  # b2sum -l 64, bit 62 set
    assert all(2**62 <= code < 2**63 for code in codes)


@pytest.mark.parametrize("status", [400, 403, 429, 500, 65535])
def test_refused(status: int) -> None:
    """What was answered with 4xx or 5xx is counted, not scored, with or without an output."""
    for output in (UNSET, None, {}, {"probabilities": [0.5]}):
        query = only(changed(status=status, output=output))
        assert (query.scored.tolist(), query.has_input.tolist(), query.label.tolist()) == ([False], [False], [-1])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0123456789abcdef0123456789ABCDEF", 0x0123456789ABCDEF0123456789ABCDEF),
        ("01234567-89ab-cdef-0123-456789ABCDEF", 0x0123456789ABCDEF0123456789ABCDEF),
        ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 2**128 - 1),
        ("01arz3ndektsv4rrffq69g5fav", 0x01563E3AB5D3D6764C61EFB99302BD5B),
    ],
)
def test_ids(text: str, number: int) -> None:
    """A ULID's and a UUID's bytes are kept, in any case of letters."""
    assert int.from_bytes(id_bytes(text), "big") == number


def test_other_ids() -> None:
    """Any other id is hashed, also one that only looks like a ULID or UUID."""
    others = [
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "01ARZ3NDEKTSV4RRFFQ69G5FAU",
        "0123456-789ab-cdef-0123-456789ABCDEF",
        "7",
        "é",
    ]
    assert len({id_bytes(text) for text in others}) == 5
    assert id_bytes("7").hex() == "9e287f590d2dcbbf387bfb70928e621d"  # b2sum -l 128


UUIDS = st.uuids().map(str) | st.text("0123456789abcdefABCDEF-gé ", min_size=36, max_size=36)


@given(st.lists(UUIDS | st.uuids().map(lambda one: str(one).upper()), max_size=5), st.booleans())
def test_a_column_of_ids(texts: list[str], others: bool) -> None:
    """All at once gives what one by one gives, also with ids among them that only look like UUIDs or do not at all."""
    texts += ["7"] if others else []

    assert id_column(texts).tobytes() == b"".join(id_bytes(text) for text in texts)


def test_models_and_clients() -> None:
    """There is one batch a model; rows keep the stream's order, tenants are as last stated."""
    values = [
        changed(client="a", tenant="old"),
        changed(client="b", model="other"),
        changed(client="b", tenant=""),
        changed(client="a", tenant="new"),
    ]
    decoded = decode([raw(value, place) for place, value in enumerate(values, 10)], SHAPES)
    digits, other = decoded.queries
    assert [digits.clients[at] for at in digits.client] == ["a", "b", "a"]
    assert dict(zip(digits.clients, digits.tenants, strict=True)) == {"a": "new", "b": None}
    assert (digits.place.tolist(), other.place.tolist()) == ([10, 12, 13], [11])


def test_clients_without_a_row_are_left_out() -> None:
    """A client all of whose records are unreadable is not named."""
    values = [changed(client="bad", input=tensor(np.full((4, 2), np.nan), "float32")), changed(client="good")]
    assert decode([raw(value) for value in values], SHAPES).queries[0].clients == ("good",)


def test_fault_of_the_reader() -> None:
    """A record that its reader calls broken is unreadable for that reason."""
    decoded = decode([RawRecord(changed(), None, None, 1, "gzip: cut off")], SHAPES)
    assert decoded.unreadable[0].reason == "gzip: cut off"


def test_shapes_seen() -> None:
    """Shapes are counted by model; what cannot be read is passed over."""
    values = [
        changed(),
        changed(input=[[1, 2]]),
        changed(input=UNSET),
        b"x",
        changed(model="other", input=[[1], [2, 3]]),
    ]
    assert shapes_seen(raw(value) for value in values) == {"digits": {(4, 2): 1, (1, 2): 1}}


@given(st.binary(max_size=300), st.sampled_from([None, CONTENT_TYPE_BATCH]))
def test_arbitrary_bytes(value: bytes, content_type: str | None) -> None:
    """No bytes raise, and one record is accounted for."""
    assert decode([RawRecord(value, content_type, None, 1)], SHAPES).read == 1


def test_prediction_is_good() -> None:
    """The predictions that the other tests change are readable."""
    assert prediction().client == "key_0"
    assert len(only(changed())) == 1
