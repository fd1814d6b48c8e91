"""Chance that only a client and its own count decide: the same in every process, whatever the batch."""

from typing import Any

import numpy as np

from detector.compiled import lean


@lean
def drawn(seed: Any, retired: Any) -> Any:
    """Return a number in 0..retired that only the client and its count decide."""
    return np.int64(_mixed(seed + np.uint64(retired)) % np.uint64(retired + 1))


@lean
def _mixed(value: Any) -> Any:
    """Return 64 well mixed bits of 64 bits (the finisher of splitmix64, Steele et al. 2014)."""
    value = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
