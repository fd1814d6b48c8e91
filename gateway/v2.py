"""The Open Inference Protocol v2: named tensors with a shape and a datatype, in JSON, flat or nested, or as bytes.

Bytes come behind the JSON, as the binary tensor data extension of KServe and Triton has it; the header
`Inference-Header-Content-Length` says how long the JSON is.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np

from gateway.bodies import whole
from gateway.faults import Fault, bad_input, too_large
from gateway.serving import Model
from gateway.tensors import DATATYPES, Floats, batch, fitting, from_bytes, numbers, parse, shaped

EXTENSIONS = ("binary_tensor_data",)
JSON_LENGTH = "Inference-Header-Content-Length"
MEMBER = "inputs[0]"


class InputParameters(msgspec.Struct):
    """How an input comes."""

    binary_data_size: int | None = None  # bytes behind the JSON, in place of `data`
    shared_memory_region: str | None = None  # refused


class Tensor(msgspec.Struct):
    """An input: its shape, batch axis first, and its numbers, flat or nested."""

    name: str
    shape: list[int]
    datatype: str
    data: Any = None
    parameters: InputParameters = msgspec.field(default_factory=InputParameters)


class OutputParameters(msgspec.Struct):
    """How an output is wanted."""

    binary_data: bool | None = None
    classification: int = 0  # refused
    shared_memory_region: str | None = None  # refused


class RequestedOutput(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: OutputParameters = msgspec.field(default_factory=OutputParameters)


class RequestParameters(msgspec.Struct):
    """What holds of all outputs."""

    binary_data_output: bool = False


class InferRequest(msgspec.Struct):
    """A question: one input of n rows."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[RequestedOutput] = []
    parameters: RequestParameters = msgspec.field(default_factory=RequestParameters)


class OutputTensor(msgspec.Struct, omit_defaults=True):
    """An answer: probabilities [n, classes], flat; or as many bytes behind the JSON as `parameters` says."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float] | None = None
    parameters: dict[str, int] | None = None


class InferResponse(msgspec.Struct, omit_defaults=True):
    """The answer to a question."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


class Question(NamedTuple):
    """What is asked: the inputs, the request's id if it has one, and whether bytes are wanted."""

    batch: Floats
    id: str | None
    binary: bool


def read(body: bytes, json_length: str | None, model: Model, rows_max: int) -> Question:
    """Return what is asked; `json_length` is the value of the header JSON_LENGTH. Raises Fault."""
    length = len(body) if json_length is None else whole(json_length)
    if length is None or length > len(body):
        raise bad_input("wrong_length", f"{JSON_LENGTH}: no number of bytes of this body")
    try:
        request = msgspec.convert(parse(body[:length]), InferRequest)
    except msgspec.ValidationError as error:
        raise bad_input("not_a_request", f"not an inference request: {error}") from error
    if len(request.inputs) != 1:
        raise bad_input("wrong_shape", f"inputs: the model takes one tensor, not {len(request.inputs)}")
    tensor = request.inputs[0]
    _check(tensor, model, rows_max)
    array = _array(tensor, memoryview(body)[length:])
    return Question(batch(array, model, MEMBER, rows_max), request.id, _binary(request, model))


def _check(tensor: Tensor, model: Model, rows_max: int) -> None:
    """Refuse a shape and a datatype before anything of that size is made."""
    if tensor.datatype not in DATATYPES:
        raise bad_input("wrong_dtype", f"{MEMBER}.datatype: {tensor.datatype[:20]!r} is not one of {list(DATATYPES)}")
    if not tensor.shape or tensor.shape[0] < 1 or tuple(tensor.shape[1:]) != model.shape:
        raise bad_input(
            "wrong_shape", f"{MEMBER}.shape: {tensor.shape[:10]} is not [rows, {', '.join(map(str, model.shape))}]"
        )
    if tensor.shape[0] > rows_max:
        raise too_large(f"{MEMBER}.shape: {tensor.shape[0]} rows, at most {rows_max} are taken at once")
    if tensor.parameters.shared_memory_region is not None:
        raise bad_input("not_supported", f"{MEMBER}.parameters: shared memory is not supported")


def _array(tensor: Tensor, behind: memoryview) -> Any:
    declared = tensor.parameters.binary_data_size
    if (declared or 0) != len(behind):
        raise bad_input("wrong_length", f"{MEMBER}.parameters.binary_data_size: {len(behind)} bytes follow the JSON")
    if declared is not None:
        if tensor.data is not None:
            raise bad_input("wrong_shape", f"{MEMBER}: has both data and binary_data_size")
        return from_bytes(behind, tensor.datatype, tensor.shape, MEMBER)
    array = numbers(tensor.data, f"{MEMBER}.data")
    return shaped(fitting(array, tensor.datatype, f"{MEMBER}.data"), tensor.shape, f"{MEMBER}.data")


def _binary(request: InferRequest, model: Model) -> bool:
    for output in request.outputs:
        if output.name != model.output_name:
            raise bad_input("unknown_output", f"outputs: the model has only {model.output_name!r}")
        if output.parameters.classification or output.parameters.shared_memory_region is not None:
            raise bad_input("not_supported", "outputs[0].parameters: neither classification nor shared memory")
    wanted = [output.parameters.binary_data for output in request.outputs]
    return any(wanted) or (request.parameters.binary_data_output and False not in wanted)


def write(served: Floats, model: Model, question: Question) -> tuple[bytes, Mapping[str, str]]:
    """Return the answer's body and headers."""
    tensor = OutputTensor(model.output_name, list(served.shape), "FP32")
    response = InferResponse(model.name, model.version, [tensor], question.id)
    if not question.binary:
        tensor.data = served.ravel().tolist()
        return msgspec.json.encode(response), {"Content-Type": "application/json"}
    data = served.astype(np.dtype("<f4")).tobytes()
    tensor.parameters = {"binary_data_size": len(data)}
    head = msgspec.json.encode(response)
    return head + data, {"Content-Type": "application/octet-stream", JSON_LENGTH: str(len(head))}


def metadata(model: Model, versions: Iterable[str]) -> Mapping[str, Any]:
    """Return what the protocol says of a model."""
    return {
        "name": model.name,
        "versions": list(versions),
        "platform": "keras",
        "inputs": [{"name": model.input_name, "datatype": "FP32", "shape": [-1, *model.shape]}],
        "outputs": [{"name": model.output_name, "datatype": "FP32", "shape": [-1, model.classes]}],
    }


def server() -> Mapping[str, Any]:
    """Return what the protocol says of the server."""
    return {"name": "gamekeeper", "version": "", "extensions": list(EXTENSIONS)}


def no_config() -> Fault:
    """Return the refusal of Triton's model configuration, which is no part of the protocol."""
    return Fault(404, "no_config", "a model's configuration is Triton's alone; its metadata are at /v2/models/NAME")
