"""The REST form of TensorFlow Serving and KServe v1: {"instances": […]} in, {"predictions": […]} out."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.faults import bad_input
from gateway.serving import Served
from gateway.tensors import Floats, batch, numbers, parse


def read(body: bytes, model: Served, rows_max: int) -> Floats:
    """Return the inputs asked about. Raises Fault."""
    document = parse(body)
    if not isinstance(document, dict) or "instances" not in document:
        raise bad_input("no_instances", 'the body needs the member "instances", a list of inputs')
    return batch(numbers(document["instances"], "instances"), model, "instances", rows_max)


def write(served: Floats) -> bytes:
    """Return the answer's JSON."""
    return msgspec.json.encode({"predictions": served.tolist()})


def status(model: Served) -> Mapping[str, Any]:
    """Return what TensorFlow Serving says of a model's state."""
    state = "AVAILABLE" if model.ready else "LOADING"
    answer = {"version": model.version, "state": state, "status": {"error_code": "OK", "error_message": ""}}
    return {"model_version_status": [answer]}


def metadata(model: Served) -> Mapping[str, Any]:
    """Return what TensorFlow Serving says of a model's input and output."""
    signature = {
        "inputs": {model.input_name: _tensor(model.input_name, model.shape)},
        "outputs": {model.output_name: _tensor(model.output_name, (model.classes,))},
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {"name": model.name, "signature_name": "", "version": model.version},
        "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
    }


def _tensor(name: str, shape: tuple[int, ...]) -> Mapping[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in (-1, *shape)]
    return {"dtype": "DT_FLOAT", "name": name, "tensor_shape": {"dim": sizes, "unknown_rank": False}}
