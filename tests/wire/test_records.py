"""The JSON wire forms that Gamekeeper writes: golden files, and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector import records
from detector.decision import Action, Decision, Key, Origin, Scope
from detector.records import ApiKey, Applied, Enforced, GatewayStatus, Input, Output, Record
from detector.times import format_time, parse_time
from detector.wire import RawRecord, decode, encode_batch
from tests.wire.make import NOON

GOLDEN = Path(__file__).parent / "golden"
RECORD = Record(
    id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
    time="2026-11-23T12:00:00.123456Z",
    model="digits",
    model_version="3",
    client="key_7f3a",
    tenant="acme",
    source_ip="203.0.113.7",
    input=Input([2, 2], "float32", np.array([0, 0.5, 1, -2], "<f4").tobytes()),
    output=Output([0.015625, 0.96875, 0.015625]),
    served=Output(label=1),
    enforced=Enforced("perturb", 412, 7),
    status=200,
)
DECISION = Decision(
    id=412,
    serial=7,
    key=Key(Scope.CLIENT, "key_7f3a", "digits"),
    action=Action.THROTTLE,
    until=NOON + 4 * 3600 * 1_000_000,
    origin=Origin.DETECTOR,
    reason="boundary probing: 31 label flips in 64 near pairs",
    verdict="0a4f3f0e-9c53-5d7a-8c11-2f6f4a3f9b10",
)
LIFTED = Decision(413, 8, Key(Scope.CLIENT, "key_7f3a", "*"), Action.ALLOW, NOON, Origin.PERSON, "a test by Café Noé")
API_KEY = ApiKey(hash="ab" * 32, client="key_7f3a", tenant="acme", expires="2027-01-01T00:00:00Z")
STATUS = GatewayStatus(
    gateway="edge-1",
    time="2026-11-23T12:00:05Z",
    applied=Applied(412, 7),
    decisions=3,
    table_age_seconds=0.25,
    dropped=0,
)
REFUSED = Record(id="7", time="2026-11-23T12:00:01Z", model="digits", client="key_0", status=403)
WRITTEN: dict[str, bytes] = {
    "query.json": records.encode_record(RECORD),
    "query_refused.json": records.encode_record(REFUSED),
    "query_batch.msgpack": encode_batch([RECORD]),
    "decision.json": records.encode_decision(DECISION),
    "decision_lifted.json": records.encode_decision(LIFTED),
    "decision_key.json": records.decision_key(DECISION),
    "api_key.json": records.encode_api_key(API_KEY),
    "gateway_status.json": records.encode_gateway_status(STATUS),
}
READ: dict[str, tuple[Callable[[bytes], Any], Any]] = {
    "decision.json": (records.decode_decision, DECISION),
    "decision_lifted.json": (records.decode_decision, LIFTED),
    "decision_key.json": (records.parse_decision_key, DECISION.key),
    "api_key.json": (records.decode_api_key, API_KEY),
    "gateway_status.json": (records.decode_gateway_status, STATUS),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_golden_bytes(name: str) -> None:
    """What is written is, byte by byte, what other versions wrote."""
    assert WRITTEN[name] == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("name", READ)
def test_golden_facts(name: str) -> None:
    """What other versions wrote is read as the same facts."""
    parse, fact = READ[name]
    assert parse((GOLDEN / name).read_bytes()) == fact


def test_golden_queries() -> None:
    """Both forms of the query record are read as the same query."""
    shapes = {"digits": (2, 2)}
    raw = [
        RawRecord((GOLDEN / "query.json").read_bytes(), None, None, 1),
        RawRecord((GOLDEN / "query_batch.msgpack").read_bytes(), records.CONTENT_TYPE_BATCH, None, 2),
        RawRecord((GOLDEN / "query_refused.json").read_bytes(), None, None, 3),
    ]
    (queries,) = decode(raw, shapes).queries
    assert [queries.clients[at] for at in queries.client] == ["key_7f3a", "key_7f3a", "key_0"]
    assert queries.time.tolist() == [NOON + 123_456] * 2 + [NOON + 1_000_000]
    assert queries.id[0].tobytes().hex() == "01563e3ab5d3d6764c61efb99302bd5b"
    assert queries.scored.tolist() == [True, True, False]
    assert queries.label.tolist() == [1, 1, -1]
    assert queries.margin_low.tolist()[:2] == [0.953125, 0.953125]
    assert queries.input is not None
    np.testing.assert_array_equal(queries.input, [[0, 0.5, 1, -2], [0, 0.5, 1, -2], [0, 0, 0, 0]])
    assert np.array_equal(queries.id[0], queries.id[1])


def test_unknown_members_are_ignored() -> None:
    """Every form may grow members, and a form without `v` is version 1."""
    for name in ("decision.json", "api_key.json", "gateway_status.json"):
        parse, fact = READ[name]
        plain = (GOLDEN / name).read_bytes()
        assert parse(plain[:-1] + b',"new":{"a":[1]}}') == fact
        assert parse(plain.replace(b'"v":1,', b"")) == fact


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"throttle"', b'"ban"'),
        (b'"client_id"', b'"range"'),
        (b'"detector"', b'"machine"'),
        (b"2026-11-23T16:00:00Z", b"2026-11-23T16:00:00"),
        (b'"serial":7', b'"serial":"7"'),
        (b'"model":"digits",', b""),
        (b"boundary", b"\xff"),
        (b"}", b""),
    ],
)
def test_unreadable_decision(old: bytes, new: bytes) -> None:
    """A decision that cannot be read is refused, whatever is wrong with it."""
    with pytest.raises(records.BadRecord):
        records.decode_decision((GOLDEN / "decision.json").read_bytes().replace(old, new))


@pytest.mark.parametrize("key", [b"", b"[]", b'["client_id","a"]', b'["range","a","*"]', b'"a"', b"\xff"])
def test_unreadable_decision_key(key: bytes) -> None:
    """A Kafka key that names nothing is refused."""
    with pytest.raises(records.BadRecord):
        records.parse_decision_key(key)


def test_unreadable_times() -> None:
    """Times inside keys and statuses are checked when they are read."""
    with pytest.raises(records.BadRecord, match="expires: no offset"):
        records.decode_api_key(WRITTEN["api_key.json"].replace(b"2027-01-01T00:00:00Z", b"2027-01-01T00:00:00"))
    with pytest.raises(records.BadRecord, match="time: not an RFC 3339 time"):
        records.decode_gateway_status(WRITTEN["gateway_status.json"].replace(b"2026-11-23T12:00:05Z", b"now"))


@pytest.mark.parametrize("time", [0, 1, NOON, NOON + 123_456, 253_370_764_800_000_000 - 1])
def test_times_go_there_and_back(time: int) -> None:
    """A time is written so that it is read as itself."""
    assert parse_time(format_time(time)) == time


def test_light_for_the_gateway() -> None:
    """The gateway's half of the wire needs no array library and none of the detector's machinery."""
    heavy = {"numpy", "numba", "river", "scipy", "sklearn"}
    code = f"import sys, detector.records; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
