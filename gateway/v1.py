"""The REST form of TensorFlow Serving and KServe v1.

By rows, {"instances": […]} in and {"predictions": […]} out; or by columns, {"inputs": …} in and {"outputs": …} out.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from gateway.faults import Fault, bad_input
from gateway.serving import Model
from gateway.tensors import Floats, batch, numbers, parse

SIGNATURE = "serving_default"


class PredictRequest(msgspec.Struct):
    """A question: either `instances`, a list of inputs, or `inputs`, all of them as one tensor.

    Each may name the model's input: [{"NAME": input}, …] or {"NAME": tensor}.
    """

    instances: Any = msgspec.UNSET
    inputs: Any = msgspec.UNSET
    signature_name: str = SIGNATURE


class Predictions(msgspec.Struct):
    """The answer to `instances`: probabilities [n, classes]."""

    predictions: list[list[float]]


class Outputs(msgspec.Struct):
    """The answer to `inputs`: probabilities [n, classes]."""

    outputs: list[list[float]]


class Question(NamedTuple):
    """What is asked, and whether by columns."""

    batch: Floats
    columns: bool


def read(body: bytes, model: Model, rows_max: int) -> Question:
    """Return what is asked. Raises Fault."""
    document = parse(body)
    try:
        request = msgspec.convert(document, PredictRequest)
    except msgspec.ValidationError as error:
        code = "not_a_request" if isinstance(document, dict) else "no_instances"
        raise bad_input(code, f"not a predict request: {error}") from error
    columns = request.inputs is not msgspec.UNSET
    if columns is (request.instances is not msgspec.UNSET):
        raise bad_input("no_instances", 'the body needs one of "instances", a list of inputs, and "inputs", a tensor')
    if request.signature_name != SIGNATURE:
        raise bad_input("unknown_signature", f"signature_name: the model has only {SIGNATURE!r}")
    member, data = ("inputs", _column(request.inputs, model)) if columns else ("instances", request.instances)
    if not columns and isinstance(data, list) and data and isinstance(data[0], dict):
        data = [_named(row, model, member) for row in data]
    return Question(batch(numbers(data, member), model, member, rows_max), columns)


def _column(inputs: Any, model: Model) -> Any:
    return _named(inputs, model, "inputs") if isinstance(inputs, dict) else inputs


def _named(value: Any, model: Model, member: str) -> Any:
    """Return what a {"NAME": value} holds. Raises Fault (400)."""
    if isinstance(value, dict) and "b64" in value:
        raise bad_input("wrong_dtype", f"{member}: the model takes numbers, not bytes in base64 (b64)")
    if not isinstance(value, dict) or value.keys() != {model.input_name}:
        raise bad_input("unknown_input", f"{member}: the model has one input, {model.input_name!r}")
    return value[model.input_name]


def write(served: Floats, question: Question) -> bytes:
    """Return the answer's JSON."""
    rows = served.tolist()
    return msgspec.json.encode(Outputs(rows) if question.columns else Predictions(rows))


def status(versions: Iterable[Model]) -> Mapping[str, Any]:
    """Return what TensorFlow Serving says of the state of a model's versions, the highest first."""
    fine = {"error_code": "OK", "error_message": ""}
    states = [
        {"version": model.version, "state": "AVAILABLE" if model.ready else "LOADING", "status": fine}
        for model in sorted(versions, key=lambda model: -int(model.version))
    ]
    return {"model_version_status": states}


def metadata(model: Model) -> Mapping[str, Any]:
    """Return what TensorFlow Serving says of a model's input and output."""
    signature = {
        "inputs": {model.input_name: _tensor(model.input_name, model.shape)},
        "outputs": {model.output_name: _tensor(model.output_name, (model.classes,))},
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {"name": model.name, "signature_name": "", "version": model.version},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
    }


def _tensor(name: str, shape: tuple[int, ...]) -> Mapping[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in (-1, *shape)]
    return {"dtype": "DT_FLOAT", "name": name, "tensor_shape": {"dim": sizes, "unknown_rank": False}}


def only_predict() -> Fault:
    """Return the refusal of TensorFlow Serving's other questions, which take tf.Example."""
    return Fault(404, "only_predict", "classify and regress take tf.Example, which is not served; ask :predict")
