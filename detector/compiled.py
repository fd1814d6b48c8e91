"""The one way in which the detector compiles a loop: numba, cached on disk, floating point as written.

`fastmath` stays off and nothing runs in parallel: a sum is taken in the order in which it is
written, so a row has the same bits whatever batch it comes in (the rule of purity).
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])
LARGEST: Final = np.finfo(np.float32).max
Order: TypeAlias = npt.NDArray[np.intp]


def compiled(loop: Loop) -> Loop:
    """Return `loop` compiled on its first call; the machine code is cached beside its file or in NUMBA_CACHE_DIR."""
    return cast("Loop", njit(cache=True, error_model="numpy")(loop))


def lean(loop: Loop) -> Loop:
    """Return `loop` compiled likewise, for loops that make no arrays: who holds each is not counted at every look.

    numba's own loops over arrays use this option (docs/decisions/0021).
    """
    bare = njit(cache=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]  # its types leave it out
    return cast("Loop", bare(loop))


def inlined(loop: Loop) -> Loop:
    """Return `loop` for use inside compiled loops only, which take it in whole.

    A call hands arrays over one by one and counts who holds each: with a dozen of them that costs more than most loops.
    """
    return cast("Loop", njit(inline="always", error_model="numpy")(loop))


def by_client(slot: npt.NDArray[np.int64]) -> Order:
    """Return the rows client by client, each client's in stream order.

    A fold that looks at no other client may take them so: a client's memory then stays in the processor's cache.
    """
    return slot.argsort(kind="stable")


@inlined
def put(to: Any, values: Any) -> None:
    """Copy values [k] to where others are; an assignment would make room for a copy in between."""
    for at in range(to.shape[0]):
        to[at] = values[at]


@lean
def make_known(values: Any) -> None:
    """Put 0 for NaN and the largest float for an infinity, as numpy.nan_to_num does at ten times the cost."""
    for at in range(values.shape[0]):
        value = min(max(values[at], -LARGEST), LARGEST)
        values[at] = np.float32(0) if np.isnan(values[at]) else value


@lean
def squares(held: Any, query: Any, out: Any) -> None:
    """Write the squared distances of a query f4[d] to k held ones f4[d, k] into f4[k].

    Axis by axis for all k side by side: each sum keeps its order and the compiler may still use vector instructions.
    Four terms of each sum are added at a time, one after the other.
    """
    out[:] = np.float32(0)
    fours = query.shape[0] // 4 * 4
    for axis in range(0, fours, 4):
        first, second, third, fourth = held[axis], held[axis + 1], held[axis + 2], held[axis + 3]
        one, two, three, four = query[axis], query[axis + 1], query[axis + 2], query[axis + 3]
        for place in range(out.shape[0]):
            half = out[place] + (first[place] - one) ** 2 + (second[place] - two) ** 2
            out[place] = half + (third[place] - three) ** 2 + (fourth[place] - four) ** 2
    for axis in range(fours, query.shape[0]):
        row, value = held[axis], query[axis]
        for place in range(out.shape[0]):
            out[place] += (row[place] - value) ** 2
