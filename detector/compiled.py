"""The one way in which the detector compiles a loop: numba, cached on disk, floating point as written.

`fastmath` stays off and nothing runs in parallel: a sum is taken in the order in which it is
written, so a row has the same bits whatever batch it comes in (the rule of purity).
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop) -> Loop:
    """Return `loop` compiled on its first call; the machine code is cached beside its file or in NUMBA_CACHE_DIR."""
    return cast("Loop", njit(cache=True, error_model="numpy")(loop))
