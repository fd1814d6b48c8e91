"""The Open Inference Protocol v2 in JSON: named tensors with a shape and a datatype, flat or nested."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.faults import bad_input
from gateway.serving import Served
from gateway.tensors import Floats, batch, numbers, parse, shaped, whole_bytes

DATATYPES = frozenset({"FP16", "FP32", "FP64", "UINT8"})
EXTENSIONS: tuple[str, ...] = ()


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: Any


class _Output(msgspec.Struct):
    name: str


class _Request(msgspec.Struct):
    inputs: list[_Tensor]
    id: str | None = None
    outputs: list[_Output] = []


def read(body: bytes, model: Served, rows_max: int) -> tuple[Floats, str | None]:
    """Return the inputs asked about, and the request's id if it has one. Raises Fault."""
    try:
        request = msgspec.convert(parse(body), _Request)
    except msgspec.ValidationError as error:
        raise bad_input("not_a_request", f"not an inference request: {error}") from error
    if len(request.inputs) != 1:
        raise bad_input("wrong_shape", f"inputs: the model takes one tensor, not {len(request.inputs)}")
    for output in request.outputs:
        if output.name != model.output_name:
            raise bad_input("unknown_output", f"outputs: the model has only {model.output_name!r}")
    return _read_tensor(request.inputs[0], model, rows_max), request.id


def _read_tensor(tensor: _Tensor, model: Served, rows_max: int) -> Floats:
    member = "inputs[0].data"
    if tensor.datatype not in DATATYPES:
        raise bad_input(
            "wrong_dtype", f"inputs[0].datatype: {tensor.datatype[:20]!r} is not one of {sorted(DATATYPES)}"
        )
    if not tensor.shape or any(size < 0 for size in tensor.shape):
        raise bad_input("wrong_shape", f"inputs[0].shape: {tensor.shape[:10]} is no shape of a batch")
    array = numbers(tensor.data, member)
    if tensor.datatype == "UINT8":
        whole_bytes(array, member)
    return batch(shaped(array, tensor.shape, member), model, member, rows_max)


def write(served: Floats, model: Served, request_id: str | None) -> bytes:
    """Return the answer's JSON; the data are flat, as the protocol's examples have them."""
    tensor = {
        "name": model.output_name,
        "shape": list(served.shape),
        "datatype": "FP32",
        "data": served.ravel().tolist(),
    }
    answer: dict[str, Any] = {"model_name": model.name, "model_version": model.version, "outputs": [tensor]}
    if request_id is not None:
        answer["id"] = request_id
    return msgspec.json.encode(answer)


def metadata(model: Served) -> Mapping[str, Any]:
    """Return what the protocol says of a model."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": "keras",
        "inputs": [{"name": model.input_name, "datatype": "FP32", "shape": [-1, *model.shape]}],
        "outputs": [{"name": model.output_name, "datatype": "FP32", "shape": [-1, model.classes]}],
    }


def server() -> Mapping[str, Any]:
    """Return what the protocol says of the server."""
    return {"name": "gamekeeper", "version": "", "extensions": list(EXTENSIONS)}
