"""The real Triton client against the gateway: Open Inference Protocol in JSON and in binary, packed and not."""

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from tritonclient.http import (  # type: ignore[import-untyped]  # it has no types
    InferenceServerClient,
    InferInput,
    InferRequestedOutput,
)
from tritonclient.utils import InferenceServerException, np_to_triton_dtype  # type: ignore[import-untyped]

from tests.gateway.build import ALICE, SHAPE, Running, images

KEY = {"X-API-Key": ALICE}
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture
def triton(shared_gateway: Running) -> Iterator[Any]:
    """Return NVIDIA's own client."""
    client = InferenceServerClient(shared_gateway.url.removeprefix("http://"))
    yield client
    client.close()


def _input(array: Any, binary: bool = True) -> Any:
    tensor = InferInput("input_layer", list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array, binary_data=binary)


def _expected(running: Running, array: Any) -> Any:
    body = {"instances": array.astype(float).tolist()}
    return np.array(running.http.post("/v1/models/digits:predict", json=body, headers=KEY).json()["predictions"])


def test_health_and_metadata(triton: Any) -> None:
    """The client finds server and model, their readiness and what they take; the extensions are those that work."""
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("digits", headers=dict(KEY))
    assert triton.is_model_ready("digits", "1", headers=dict(KEY))
    assert not triton.is_model_ready("digits", "2", headers=dict(KEY))
    assert triton.get_server_metadata(headers=dict(KEY))["extensions"] == ["binary_tensor_data"]
    about = triton.get_model_metadata("digits", headers=dict(KEY))
    assert about["versions"] == ["1"]
    assert about["inputs"] == [{"name": "input_layer", "datatype": "FP32", "shape": [-1, *SHAPE]}]
    with pytest.raises(InferenceServerException, match="metadata are at /v2/models/NAME"):
        triton.get_model_config("digits", headers=dict(KEY))
    with pytest.raises(InferenceServerException, match="no model 'nothing' is served here"):
        triton.get_model_metadata("nothing", headers=dict(KEY))
    with pytest.raises(InferenceServerException, match="no API key"):
        triton.get_model_metadata("digits")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int8", "int32", "int64", "uint16"])
@pytest.mark.parametrize("binary", [True, False])
def test_infers(triton: Any, shared_gateway: Running, dtype: str, binary: bool) -> None:
    """Every datatype, in binary and in JSON, both ways, gets the answer that v1 gives."""
    array = (images(3) * (1 if dtype.startswith("float") else 100)).astype(dtype)
    outputs = [InferRequestedOutput("output_0", binary_data=binary)]
    asked = [_input(array, binary)]
    result = triton.infer("digits", asked, outputs=outputs, headers=dict(KEY), request_id="7")
    np.testing.assert_allclose(result.as_numpy("output_0"), _expected(shared_gateway, array), atol=1e-5)
    assert result.as_numpy("output_0").dtype == np.float32
    assert ("data" in result.get_output("output_0")) is not binary
    assert result.get_response()["id"] == "7"


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_infers_packed(triton: Any, shared_gateway: Running, packing: str, binary: bool) -> None:
    """Packed questions are unpacked; without outputs named, the answer comes in binary, as this client asks."""
    result = triton.infer(
        "digits",
        [_input(images(2), binary)],
        model_version="1",
        headers=dict(KEY),
        request_compression_algorithm=packing,
        response_compression_algorithm=packing,
    )
    np.testing.assert_allclose(result.as_numpy("output_0"), _expected(shared_gateway, images(2)), atol=1e-5)


def test_says_what_is_not_there(triton: Any) -> None:
    """What Triton has and this gateway has not is refused by name, in the form that the client understands."""
    array = images(1)
    shared = InferInput("x", list(array.shape), "FP32").set_shared_memory("region", array.nbytes)
    with pytest.raises(InferenceServerException, match="shared memory is not supported"):
        triton.infer("digits", [shared], headers=dict(KEY))
    classes = [InferRequestedOutput("output_0", class_count=3)]
    with pytest.raises(InferenceServerException, match="neither classification nor shared memory"):
        triton.infer("digits", [_input(array)], outputs=classes, headers=dict(KEY))
    text = np.array([["a"]], dtype=object)
    with pytest.raises(InferenceServerException, match="'BYTES' is not one of"):
        triton.infer("digits", [_input(text)], headers=dict(KEY))


def _binary(behind: bytes = images().tobytes(), size: object = None, **changes: object) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a binary question about one row."""
    parameters = {"binary_data_size": len(behind) if size is None else size}
    tensor = {"name": "x", "shape": [1, *SHAPE], "datatype": "FP32", "parameters": parameters, **changes}
    head = msgspec.json.encode({"inputs": [tensor]})
    return head + behind, {**KEY, LENGTH: str(len(head))}


def _ask(running: Running, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return running.http.post("/v2/models/digits/infer", content=body, headers=headers)


def test_binary_sizes_that_lie(shared_gateway: Running) -> None:
    """A length or size that is not the truth is 400, and the model is not called; the truth is answered."""
    body, headers = _binary()
    assert _ask(shared_gateway, body, headers).status_code == 200
    calls = shared_gateway.calls
    whole = images().tobytes()
    lies = [
        (body, {**headers, LENGTH: str(len(body) + 1)}),
        (body, {**headers, LENGTH: "-1"}),
        (body, {**headers, LENGTH: "9" * 5_000}),
        (body, {**headers, LENGTH: "1e1"}),
        (body, KEY),
        (body[:-1], headers),
        (body + b"0", headers),
        *(_binary(whole, size) for size in (0, -256, 255, 257, 10**17, "256", True)),
        _binary(whole[:-4], shape=[1, 7, 9]),
        _binary(whole, data=[0.5] * 64),
        _binary(whole, shape=[-1, *SHAPE]),
        _binary(whole, shape=[2**62, *SHAPE]),
        _binary(whole, datatype="FP64"),
        _binary(np.full((1, *SHAPE), np.nan, np.float32).tobytes()),
        _binary(np.full((1, *SHAPE), 1e300, np.float64).tobytes(), datatype="FP64"),
    ]
    for sent, told in lies:
        answer = _ask(shared_gateway, sent, told)
        assert answer.status_code in (400, 413), answer.text
        assert answer.json()["error"]
    assert shared_gateway.calls == calls


def test_packed_bodies_are_bounded(shared_gateway: Running) -> None:
    """A small body that unpacks to more than the limit is 413; one that is no whole stream 400; another coding 415."""
    calls = shared_gateway.calls
    bomb = gzip.compress(b" " * 50_000_000, mtime=0)
    assert len(bomb) < 60_000
    for body, coding, status in (
        (bomb, "gzip", 413),
        (zlib.compress(b" " * 300_000), "deflate", 413),
        (gzip.compress(b"{}", mtime=0)[:-1], "gzip", 400),
        (gzip.compress(b"{}", mtime=0) * 2, "gzip", 400),
        (b"{}", "gzip", 400),
        (b"{}", "deflate", 400),
        (b"{}", "br", 415),
        (b"{}", "gzip, gzip", 415),
    ):
        answer = _ask(shared_gateway, body, {**KEY, "Content-Encoding": coding})
        assert answer.status_code == status, answer.text
    assert shared_gateway.calls == calls
