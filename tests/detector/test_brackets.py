"""Brackets: the midpoint of two remembered queries with different answers is found among many, and nothing else is."""

import numpy as np
import pytest

from detector.brackets import NEAREST, bracket
from detector.geometry import COORDS, SKETCH
from detector.search import BLOCK

SLOTS = 64
RNG = np.random.default_rng(9)
Z = RNG.normal(size=(SKETCH, SLOTS)).astype(np.float32)
C = RNG.integers(0, 1_000, (SLOTS, COORDS)).astype(np.int16)
LABEL = np.arange(SLOTS) % 2
BLOCKS = np.ascontiguousarray(Z.reshape(SKETCH, -1, BLOCK).transpose(1, 0, 2))


def _found(query: np.ndarray, label: np.ndarray = LABEL, c: np.ndarray = C, held: int = SLOTS) -> set[int]:
    far = np.square(Z - query[:, None]).sum(0).astype(np.float32)[:held]
    one, other, part = bracket((BLOCKS, c, label), COORDS, (query.astype(np.float32), far), np.empty(NEAREST, np.int64))
    assert (one < 0) == np.isnan(part)
    return set() if one < 0 else {one, other}


def test_a_midpoint_finds_its_ends() -> None:
    """Slots 10 and 33, of different answers, among 64."""
    assert _found((Z[:, 10] + Z[:, 33]) / 2) == {10, 33}


@pytest.mark.parametrize("part", [0.3, 0.42, 0.6])
def test_other_parts_of_the_way_are_no_bisection(part: float) -> None:
    """Only the middle, give or take 3 %."""
    assert _found(Z[:, 10] + part * (Z[:, 33] - Z[:, 10])) == set()


def test_what_is_no_bracket() -> None:
    """Equal answers, unknown answers, ends that differ in two columns, an end not held, and a point off the line."""
    middle = (Z[:, 10] + Z[:, 33]) / 2
    swept = C.copy()
    swept[33] = swept[10]
    swept[33, :2] += 1
    assert _found(middle, label=np.zeros(SLOTS, np.int64)) == set()
    assert _found(middle, label=np.full(SLOTS, -1)) == set()
    assert _found(middle, c=swept) == set()
    assert _found(middle, held=33) == set()
    assert _found(middle + 0.3 * RNG.normal(size=SKETCH).astype(np.float32)) == set()
