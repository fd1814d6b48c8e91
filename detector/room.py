"""Room: arrays that grow without a copy, and whose untouched part takes no memory (docs/decisions/0031).

The system moves the pages of an anonymous mapping to a longer place by their table.
"""

import math
import mmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAPPED: Final = 1 << 18  # bytes from which an array has a mapping of its own: a process may have some 65,000 of them
_PRIVATE: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS

Column = npt.NDArray[Any]


def longer(held: Column, capacity: int) -> Column:
    """Return an array of `capacity` rows that begins with those of `held`; the others are zero.

    The caller lets go of `held`. If somebody still looks at it, such as a profiler, it is copied instead.
    """
    shape, dtype, memory = (capacity, *held.shape[1:]), held.dtype, _mapping(held)
    size, before = math.prod(shape) * dtype.itemsize, held.shape
    if memory is None:
        return _copied(held, shape, size)
    del held
    try:
        memory.resize(size)
    except BufferError:
        return _copied(_over(memory, before, dtype), shape, size)
    return _over(memory, shape, dtype)


def _mapping(column: Column) -> mmap.mmap | None:
    """Return the mapping that `_over` laid an array over."""
    view: Any = None if column.base is None else column.base.base
    memory = view.obj if isinstance(view, memoryview) else None
    return memory if isinstance(memory, mmap.mmap) else None


def _over(memory: mmap.mmap, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Column:
    return np.frombuffer(memory, dtype, math.prod(shape)).reshape(shape)


def _copied(held: Column, shape: tuple[int, ...], size: int) -> Column:
    small = size < MAPPED
    column = np.zeros(shape, held.dtype) if small else _over(mmap.mmap(-1, size, _PRIVATE), shape, held.dtype)
    column[: len(held)] = held
    return column
