"""Ten thousand bad requests, always the same ones: each is refused with 4xx, and none reaches the model.

Whole questions are broken at random places; the few that are questions still, and the only ones to be answered, are
told by their 200. In process, over ASGI, where headers may say what no HTTP parser would let through.
"""

import asyncio
import gzip
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gateway import app
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, SHAPE, images

BAD = 10_000
ROW: Any = images().round(2)[0].tolist()
TENSOR = {"name": "x", "shape": [1, *SHAPE], "datatype": "FP32"}
BYTES = images().tobytes()
HEAD = msgspec.json.encode({"inputs": [{**TENSOR, "parameters": {"binary_data_size": len(BYTES)}}]})
JSON = msgspec.json.encode({"id": "1", "inputs": [{**TENSOR, "data": ROW}], "outputs": [{"name": "output_0"}]})
QUESTIONS = (  # end of the path, body
    (":predict", msgspec.json.encode({"instances": [ROW], "signature_name": "serving_default"})),
    (":predict", msgspec.json.encode({"instances": [{"input_layer": ROW}]})),
    (":predict", msgspec.json.encode({"inputs": {"input_layer": [ROW]}})),
    ("/infer", JSON),
    ("/infer", HEAD + BYTES),
)
PIECES = (
    *(b"NaN", b"-Infinity", b"1e999", b"null", b"true", b'"x"', b"{}", b"[]", b"[[]]", b"-1", b"1.5", b"\x00", b"\xff"),
    *(b"99999999999999999999", b"-9223372036854775808", b"[" * 2_000, b'{"a":' * 2_000, b",", b"{", b"]", b"[1]"),
    *(b'"FP64"', b'"UINT8"', b'"BYTES"', b'"shape":[1,8,8],', b'"instances":[],', b'"data":[],', b'{"b64":"AA=="}'),
    *(b'"parameters":{"binary_data_size":256},', b'"parameters":{"shared_memory_region":"x"},', b"4611686018427387904"),
)
VALUES = (
    b"",
    b"-1",
    b"0",
    b"1",
    b"1e3",
    b"9" * 30,
    b"99999999",
    b"\xb2",
    b"\xff\x00",
    b"gzip",
    b"deflate",
    b"x, y",
    b"chunked",
)
NAMES = (b"content-length", b"content-encoding", b"inference-header-content-length", b"content-type", b"expect")
Headers = list[tuple[bytes, bytes]]


def _spliced(body: bytes, rng: random.Random) -> bytes:
    """Put a piece in the place of a few bytes, mostly of a whole value."""
    marks = [at for at, byte in enumerate(body) if byte in b",:[]{}"]
    start, end = sorted(rng.sample(marks, 2)) if rng.random() < 0.7 else (rng.randrange(len(body)),) * 2
    return body[: start + 1] + rng.choice(PIECES) + body[min(end, start + rng.randrange(400)) :]


NODES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1,
        256,
        2**62,
        2**70,
        1.5,
        1e39,
        "",
        "FP16",
        "INT8",
        "BYTES",
        "x",
        [],
        {},
        [[]],
        [1],
        [0.5] * 64,
    ),
    *(
        [ROW],
        [[[0.5] * 8] * 7],
        [1, 8, 8],
        [2, 8, 8],
        [1] * 100,
        {"b64": "AA=="},
        {"input_layer": 1},
        {"binary_data": True},
    ),
    *({"binary_data_size": 256}, {"binary_data_size": -1}, {"shared_memory_region": "x"}, {"classification": 3}, [{}]),
)


def _replaced(body: bytes, rng: random.Random) -> bytes:
    """Put another value in the place of one in the JSON, at any depth."""
    tail = BYTES if body.endswith(BYTES) else b""
    holder: Any = [msgspec.json.decode(body.removesuffix(tail))]
    document, at = holder, 0
    while isinstance(holder[at], (dict, list)) and holder[at] and rng.random() < 0.8:
        holder = holder[at]
        at = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[at] = rng.choice(NODES)
    return msgspec.json.encode(document[0]) + tail


BREAKS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_replaced,) * 6,
    *(_spliced,) * 2,
    lambda body, rng: body[: rng.randrange(len(body))],
    lambda body, rng: body + rng.randbytes(rng.randrange(1, 50)),
    lambda _, rng: rng.randbytes(rng.randrange(300)),
    lambda _, rng: rng.choice(PIECES) * rng.randrange(1, 40),
    lambda body, rng: gzip.compress(body)[: rng.randrange(20, 200)],
)


def _request(rng: random.Random) -> tuple[str, Headers, bytes]:
    end, body = rng.choice(QUESTIONS)
    binary = body.endswith(BYTES)
    body = rng.choice(BREAKS)(body, rng)
    headers: Headers = [(b"x-api-key", ALICE.encode() if rng.random() < 0.95 else rng.randbytes(8))]
    if binary:
        headers.append((b"inference-header-content-length", str(len(body.removesuffix(BYTES))).encode()))
    if rng.random() < 0.3:
        headers.append((rng.choice(NAMES), rng.choice(VALUES)))
    name = (
        "digits"
        if rng.random() < 0.97
        else rng.choice(["", "*", "digits:predict", "a/b", "é\x00", "digits/versions/9"])
    )
    version = rng.choice(["1", "01", "-1", "²", "9" * 99]) if rng.random() < 0.1 else ""
    start = "/v1/models/" if end == ":predict" else "/v2/models/"
    return start + name + (f"/versions/{version}" if version else "") + end, headers, body


async def _ask(asgi: Any, request: tuple[str, Headers, bytes], rng: random.Random) -> int:
    """Ask over ASGI, the body in a few chunks, sometimes broken off; return the status."""
    path, headers, body = request
    cut = rng.randrange(len(body) + 1)
    messages: Iterator[dict[str, Any]] = iter(
        [
            {"type": "http.request", "body": body[:cut], "more_body": True},
            {"type": "http.disconnect"} if rng.random() < 0.02 else {"type": "http.request", "body": body[cut:]},
        ]
    )
    status = 0

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b"", "state": {}}
    await asgi({**scope, "raw_path": path.encode(), "http_version": "1.1", "client": ("127.0.0.1", 1)}, receive, send)
    return status


def test_bad_requests(alone: GatewaySettings) -> None:
    """Ten thousand refusals: no 5xx, and no call of the model but for what was answered."""
    asgi = app.create(alone)
    models = asgi.state.parts.models
    rng = random.Random(1)  # noqa: S311  # to be repeatable

    async def all_of_them() -> None:
        model, refused = models.served["digits"], 0
        while refused < BAD:
            request, calls = _request(rng), model.calls
            status = await _ask(asgi, request, rng)
            assert status == 200 or 400 <= status < 500, (status, request)
            assert (model.calls > calls) is (status == 200), request
            refused += status != 200

    asyncio.run(all_of_them())
    models.stop()
