"""Warm: compile the kernels, or load them from numba's cache, before the first query comes."""

import numpy as np

from detector.detector import Detector
from detector.policy import Policy
from detector.query import Queries


def warm() -> None:
    """Fold one made-up query."""
    Detector(Policy(), {}).assess(_query())


def _query() -> Queries:
    one = np.zeros(1, np.int64)
    return Queries(
        model="warm",
        clients=("warm",),
        tenants=(None,),
        client=one.astype(np.int32),
        time=one,
        id=np.zeros((1, 2), np.uint64),
        scored=one == 0,
        has_input=one != 0,
        input=None,
        label=one,
        margin_low=one.astype(np.float32),
        margin_high=one.astype(np.float32),
        place=one,
        row=one.astype(np.int32),
    )
