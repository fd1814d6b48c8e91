"""Bad input: every fault is named with 4xx in JSON, and the model is not called."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.build import ALICE, Running, images

ROW: Any = images()[0].tolist()
V1 = "/v1/models/digits:predict"
V2 = "/v2/models/digits/infer"


def v1(instances: object) -> bytes:
    """Return a v1 body."""
    return msgspec.json.encode({"instances": instances})


def v2(**changes: object) -> bytes:
    """Return a v2 body with one tensor."""
    tensor = {"name": "input", "shape": [1, 8, 8], "datatype": "FP32", "data": [ROW]}
    return msgspec.json.encode({"inputs": [{**tensor, **changes}]})


CASES = [
    (V1, b"", 400, "not_json"),
    (V1, b"{", 400, "not_json"),
    (V1, b"\xff\xfe", 400, "not_json"),
    (V1, b"[" * 50_000, 400, "not_json"),
    (V1, b"[]", 400, "no_instances"),
    (V1, b'{"other":[1]}', 400, "no_instances"),
    (V1, b'{"inputs":[1],"instances":[1]}', 400, "no_instances"),
    (V1, b'{"inputs":[1]}', 400, "wrong_shape"),
    (V1, b'{"inputs":{"b64":"AAAA"}}', 400, "wrong_dtype"),
    (V1, b'{"inputs":{"other":[1]}}', 400, "unknown_input"),
    (V1, b'{"instances":[1],"signature_name":"other"}', 400, "unknown_signature"),
    (V1, b'{"instances":[1],"signature_name":1}', 400, "not_a_request"),
    (V1, v1(None), 400, "wrong_dtype"),
    (V1, v1("text"), 400, "wrong_dtype"),
    (V1, v1([]), 400, "wrong_shape"),
    (V1, v1([1.0]), 400, "wrong_shape"),
    (V1, v1(ROW), 400, "wrong_shape"),
    (V1, v1([[ROW]]), 400, "wrong_shape"),
    (V1, v1([ROW, ROW[:-1]]), 400, "wrong_shape"),
    (V1, v1([[["0.5"] * 8] * 8]), 400, "wrong_dtype"),
    (V1, v1([[[True] * 8] * 8]), 400, "wrong_dtype"),
    (V1, v1([[[None] * 8] * 8]), 400, "wrong_dtype"),
    (V1, v1([{"b64": "AAAA"}]), 400, "wrong_dtype"),
    (V1, b'{"instances":[[[NaN]]]}', 400, "not_finite"),
    (V1, b'{"instances":[[[-Infinity]]]}', 400, "not_finite"),
    (V1, v1([[[1e39] * 8] * 8]), 400, "not_finite"),
    (V1, v1([[[10**30] * 8] * 8]), 400, "wrong_dtype"),
    (V1, v1([ROW] * 65), 413, "too_large"),
    (V1, b" " * 200_001, 413, "too_large"),
    ("/v1/models/nothing:predict", v1([ROW]), 404, "unknown_model"),
    ("/v2/models/nothing/infer", v2(), 404, "unknown_model"),
    (V2, b"[]", 400, "not_a_request"),
    (V2, b'{"inputs":[]}', 400, "wrong_shape"),
    (V2, b'{"inputs":[{"name":"input"}]}', 400, "not_a_request"),
    (V2, v2(shape=[2, 8, 8]), 400, "wrong_shape"),
    (V2, v2(shape=[1, 64]), 400, "wrong_shape"),
    (V2, v2(shape=[1, 8, -8]), 400, "wrong_shape"),
    (V2, v2(shape=[1, 8, 2.5]), 400, "not_a_request"),
    (V2, v2(shape=[]), 400, "wrong_shape"),
    (V2, v2(shape=[1, 4, 16], data=[0.5] * 64), 400, "wrong_shape"),
    (V2, v2(shape=[0, 8, 8], data=[]), 400, "wrong_shape"),
    (V2, v2(shape=[10**18, 10**18], data=[]), 400, "wrong_shape"),
    (V2, v2(datatype="BYTES"), 400, "wrong_dtype"),
    (V2, v2(datatype="UINT8"), 400, "wrong_dtype"),
    (V2, v2(datatype="UINT8", data=[[[256] * 8] * 8]), 400, "wrong_dtype"),
    (V2, v2(data=[[["x"] * 8] * 8]), 400, "wrong_dtype"),
    (V2, v2(data="AAAA"), 400, "wrong_dtype"),
    (V2, msgspec.json.encode({**msgspec.json.decode(v2()), "outputs": [{"name": "x"}]}), 400, "unknown_output"),
]


@pytest.mark.parametrize(("path", "body", "status", "code"), CASES)
def test_bad_body(shared_gateway: Running, path: str, body: bytes, status: int, code: str) -> None:
    """The fault is named, and the model is not called."""
    calls = shared_gateway.calls
    answer = shared_gateway.http.post(path, content=body, headers={"X-API-Key": ALICE})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["error"]
    assert shared_gateway.calls == calls


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "no_key"),
        ({"X-API-Key": "nobody"}, "unknown_key"),
        ({"Authorization": "Basic YTpi"}, "no_key"),
        ({"Authorization": "Bearer expired"}, "expired_key"),
        ({"X-API-Key": "revoked"}, "revoked_key"),
    ],
)
def test_bad_key(shared_gateway: Running, headers: dict[str, str], code: str) -> None:
    """Without a good key nothing is answered, on any path of the models, and the model is not called."""
    calls = shared_gateway.calls
    for path, body in ((V1, v1([ROW])), (V2, v2()), ("/v1/models/nothing:predict", b"")):
        answer = shared_gateway.http.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert shared_gateway.calls == calls


def test_chunked_body_over_the_limit(shared_gateway: Running) -> None:
    """A body that does not say its length is cut off at the limit, before it is parsed."""

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    calls = shared_gateway.calls
    try:
        answer = shared_gateway.http.post(V1, content=chunks(), headers={"X-API-Key": ALICE})
    except httpx.WriteError:  # the gateway has answered and hung up before we were through
        return
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert shared_gateway.calls == calls


def test_declared_length_over_the_limit_is_refused_unread(shared_gateway: Running) -> None:
    """A body that says it is too long is refused before a byte of it has come."""
    host, port = shared_gateway.url.removeprefix("http://").split(":")
    head = f"POST {V1} HTTP/1.1\r\nHost: x\r\nX-API-Key: {ALICE}\r\nContent-Length: 999999999\r\n\r\n"
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize(
    ("framing", "sent", "status"),
    [
        ("Content-Length: 999\r\n", b"{}", b""),  # and then hangs up
        ("Content-Length: 2\r\nContent-Length: 3\r\n", b"{}", b" 400 "),
        ("Content-Length: -1\r\n", b"{}", b" 400 "),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", b" 400 "),
        ("Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n", b" 400 "),
        ("Transfer-Encoding: chunked\r\n", b"fffff\r\n", b""),
        ("Transfer-Encoding: gzip\r\n", b"{}", b" 400 "),
    ],
)
def test_framing_that_lies(shared_gateway: Running, framing: str, sent: bytes, status: bytes) -> None:
    """A body that is not as long as it says, or says it twice, is refused, and the next connection is served."""
    host, port = shared_gateway.url.removeprefix("http://").split(":")
    calls = shared_gateway.calls
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(f"POST {V1} HTTP/1.1\r\nHost: x\r\nX-API-Key: {ALICE}\r\n{framing}\r\n".encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        assert status in connection.recv(4096).split(b"\r\n")[0]
    assert shared_gateway.calls == calls
    assert shared_gateway.http.get("/v2/health/ready").status_code == 200


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)
TENSORS = st.fixed_dictionaries(
    {
        "name": JSON_VALUES,
        "shape": JSON_VALUES,
        "datatype": st.sampled_from(["FP32", "UINT8", "X"]),
        "data": JSON_VALUES,
    }
)
BODIES = (
    st.binary(max_size=200)
    | JSON_VALUES.map(msgspec.json.encode)
    | JSON_VALUES.map(v1)
    | st.lists(TENSORS, max_size=2).map(lambda tensors: msgspec.json.encode({"inputs": tensors}))
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from([V1, V2]), body=BODIES)
def test_any_other_body_is_400(shared_gateway: Running, path: str, body: bytes) -> None:
    """Whatever is sent that is no question to the model is 400: never 5xx, never a call of the model."""
    calls = shared_gateway.calls
    answer = shared_gateway.http.post(path, content=body, headers={"X-API-Key": ALICE})
    assert answer.status_code == 400
    assert answer.json()["code"]
    assert shared_gateway.calls == calls
