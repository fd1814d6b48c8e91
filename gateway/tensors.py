"""From parsed JSON to one batch of inputs, refusing by name whatever is not one."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.faults import Fault, bad_input, too_large

Floats = npt.NDArray[np.float32]


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
    """Return flat or nested data in its declared shape. Raises Fault (400)."""
    if array.size != math.prod(shape):
        raise bad_input("wrong_shape", f"{member}: {array.size} numbers do not fill shape {list(shape)}")
    if array.ndim != 1 and array.shape != tuple(shape):
        raise bad_input("wrong_shape", f"{member}: nested as {list(array.shape)}, declared as {list(shape)}")
    return array.reshape(tuple(shape))


def whole_bytes(array: npt.NDArray[Any], member: str) -> None:
    """Raise Fault (400) unless all numbers are whole and within 0..255."""
    if array.dtype.kind == "f" or (array.size and (array.min() < 0 or array.max() > 255)):  # noqa: PLR2004
        raise bad_input("wrong_dtype", f"{member}: UINT8 takes whole numbers from 0 to 255")


__all__ = ["Fault", "Floats", "Form", "batch", "numbers", "parse", "shaped", "whole_bytes"]
