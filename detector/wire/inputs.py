"""Inputs: what clients sent, as blocks of float32, whatever form a record had it in."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detector.query import Shape
from detector.records import DTYPES, Input
from detector.wire.facts import AXES_MAX, Fault

DTYPE_OF = dict(zip(DTYPES, map(np.dtype, ("u1", "<f2", "<f4", "<f8")), strict=True))
_NOT_FINITE = "input: NaN, infinity or beyond float32"


class Block(NamedTuple):
    """Inputs of some rows, all of one size: `values` is [len(rows), D]."""

    rows: npt.NDArray[np.intp]
    values: npt.NDArray[np.float32]


def check_shape(stated: Sequence[int], dtype: str, shape: Shape | None) -> int:
    """Return the bytes of an input of `stated` shape; `shape` is the model's, if known. Raises Fault."""
    if dtype not in DTYPE_OF:
        raise Fault(f"input.dtype: {dtype!r} is not one of {', '.join(DTYPES)}")
    if shape is not None and tuple(stated) != shape:
        raise Fault(f"input.shape: {_show(stated)} is not the model's {shape}")
    if len(stated) > AXES_MAX:
        raise Fault(f"input.shape: more than {AXES_MAX} axes")
    if any(size < 1 for size in stated):
        raise Fault(f"input.shape: {_show(stated)} has an axis below 1")
    return math.prod(stated) * DTYPE_OF[dtype].itemsize


def from_inputs(inputs: Sequence[Input | list[Any] | None], shape: Shape | None) -> tuple[list[Block], dict[int, str]]:
    """Return the inputs in blocks, and the reason of each row whose input is unreadable."""
    faults: dict[int, str] = {}
    alike: dict[tuple[str, int], tuple[list[int], list[bytes]]] = {}
    usual: list[int] | None = None  # what the last readable tensor stated: most state the same
    usual_dtype, size, rows, parts = "", -1, [0], [b""]
    for row, given in enumerate(inputs):
        if given is None:
            continue
        if isinstance(given, Input) and len(given.data) == size and given.dtype == usual_dtype and given.shape == usual:
            rows.append(row)
            parts.append(given.data)
            continue
        try:
            dtype, data = _tensor(given, shape) if isinstance(given, Input) else _listed(given, shape)
        except Fault as fault:
            faults[row] = str(fault)
            continue
        rows, parts = alike.setdefault((dtype, len(data)), ([], []))
        rows.append(row)
        parts.append(data)
        usual, usual_dtype, size = (given.shape, dtype, len(data)) if isinstance(given, Input) else (None, "", -1)
    blocks = []
    for (dtype, _), (rows, parts) in alike.items():
        block = to_block(np.array(rows), b"".join(parts), dtype)
        faults.update(not_finite(block))
        blocks.append(block)
    return blocks, faults


def to_block(rows: npt.NDArray[np.intp], data: bytes, dtype: str) -> Block:
    """Return the inputs of `rows`, one after the other in `data`."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.frombuffer(data, DTYPE_OF[dtype]).astype(np.float32, copy=False)
    return Block(rows, values.reshape(len(rows), -1))


def not_finite(block: Block) -> dict[int, str]:
    """Return a reason for each row of `block` that holds a NaN or an infinity."""
    bad = ~np.isfinite(block.values).all(axis=1)
    return dict.fromkeys(block.rows[bad].tolist(), _NOT_FINITE)


def nested_shape(value: list[Any]) -> tuple[Shape, list[Any]]:
    """Return the shape of a nested list and its elements in row-major order. Raises Fault where it is ragged."""
    shape = [len(value)]
    while value and isinstance(value[0], list):
        width = len(value[0])
        if any(type(part) is not list or len(part) != width for part in value):
            raise Fault("input: a ragged list")
        shape.append(width)
        if len(shape) > AXES_MAX:
            raise Fault(f"input: more than {AXES_MAX} axes")
        value = list(chain.from_iterable(value))
    if not value:
        raise Fault("input: an empty list")
    return tuple(shape), value


def _tensor(given: Input, shape: Shape | None) -> tuple[str, bytes]:
    needed = check_shape(given.shape, given.dtype, shape)
    if len(given.data) != needed:
        raise Fault(
            f"input.data: {len(given.data)} bytes where shape {_show(given.shape)} of {given.dtype} needs {needed}"
        )
    return given.dtype, given.data


def _listed(given: list[Any], shape: Shape | None) -> tuple[str, bytes]:
    stated, elements = nested_shape(given)
    flat = shape is not None and stated == (math.prod(shape),)  # a flat list may fill any shape
    if shape is not None and stated != shape and not flat:
        raise Fault(f"input: a list of shape {_show(stated)} is not the model's {shape}")
    try:
        numbers = msgspec.convert(elements, list[float])
    except msgspec.ValidationError:
        raise Fault("input: a ragged list, or one of other things than numbers") from None
    return "float64", np.array(numbers, "<f8").tobytes()


def _show(shape: Sequence[int]) -> str:
    few = ", ".join(map(str, shape[:8]))
    return f"({few}, …)" if len(shape) > 8 else f"({few})"  # noqa: PLR2004  # enough to recognise it by
