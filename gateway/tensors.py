"""From parsed JSON to one batch of inputs, refusing by name whatever is not one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.faults import Fault, bad_input, too_large

Floats = npt.NDArray[np.float32]
DATATYPES: Mapping[str, np.dtype[Any]] = {  # of the Open Inference Protocol, little endian
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
}


class Form(Protocol):
    """What a model takes: the shape of one input."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, without the batch axis."""


def parse(body: bytes) -> Any:
    """Parse a JSON body. Raises Fault (400)."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        if b"NaN" in body or b"Infinity" in body:
            raise bad_input("not_finite", "the body holds NaN or Infinity, which JSON does not have") from error
        raise bad_input("not_json", f"the body is not JSON: {error}") from error


def numbers(data: Any, member: str) -> npt.NDArray[Any]:
    """Return nested lists of numbers as an array. Raises Fault (400) for anything else; `member` names it."""
    if not isinstance(data, list):
        raise bad_input("wrong_dtype", f"{member}: a list of numbers is needed")
    try:
        array = np.asarray(data)
    except (ValueError, OverflowError) as error:
        raise bad_input("wrong_shape", f"{member}: the rows have different shapes") from error
    if array.size and array.dtype.kind not in "iuf":
        raise bad_input("wrong_dtype", f"{member}: holds something other than numbers")
    return array


def batch(array: npt.NDArray[Any], model: Form, member: str, rows_max: int) -> Floats:
    """Return [n, *shape] as finite float32. Raises Fault (400, 413)."""
    if len(array) == 0:
        raise bad_input("wrong_shape", f"{member}: no rows")
    if len(array) > rows_max:
        raise too_large(f"{member}: {len(array)} rows, at most {rows_max} are taken at once")
    if array.shape[1:] != model.shape:
        raise bad_input(
            "wrong_shape", f"{member}: one input has shape {array.shape[1:]}, the model takes {model.shape}"
        )
    with np.errstate(over="ignore"):  # found below
        floats = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(floats).all():
        raise bad_input("not_finite", f"{member}: holds NaN, an infinity, or a number too large for float32")
    return floats


def shaped(array: npt.NDArray[Any], shape: Sequence[int], member: str) -> npt.NDArray[Any]:
    """Return flat or nested data in its declared shape, which is the model's. Raises Fault (400)."""
    if array.size != math.prod(shape):
        raise bad_input("wrong_shape", f"{member}: {array.size} numbers do not fill shape {list(shape)}")
    if array.ndim != 1 and array.shape != tuple(shape):
        raise bad_input("wrong_shape", f"{member}: nested as {list(array.shape)}, declared as {list(shape)}")
    return array.reshape(tuple(shape))


def fitting(array: npt.NDArray[Any], datatype: str, member: str) -> npt.NDArray[Any]:
    """Return numbers that JSON brought, if they are numbers of this datatype. Raises Fault (400)."""
    dtype = DATATYPES[datatype]
    if dtype.kind == "f" or not array.size:
        return array
    bounds = np.iinfo(dtype)
    if array.dtype.kind == "f" or array.min() < bounds.min or array.max() > bounds.max:
        raise bad_input("wrong_dtype", f"{member}: {datatype} takes whole numbers from {bounds.min} to {bounds.max}")
    return array


def from_bytes(data: memoryview, datatype: str, shape: Sequence[int], member: str) -> npt.NDArray[Any]:
    """Return a tensor of little-endian bytes, row by row, in the model's shape. Raises Fault (400)."""
    dtype = DATATYPES[datatype]
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise bad_input("wrong_shape", f"{member}: {len(data)} bytes do not fill {datatype} {list(shape)}")
    return np.frombuffer(data, dtype).reshape(tuple(shape))


__all__ = ["DATATYPES", "Fault", "Floats", "Form", "batch", "fitting", "from_bytes", "numbers", "parse", "shaped"]
