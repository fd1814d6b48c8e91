"""Room: a column that grows holds what it held, moved or copied; what is new is zero."""

import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector import room

SIZES = st.lists(st.integers(1, 5_000), min_size=1, max_size=6)


@given(SIZES, st.sampled_from(["f4", "i2", "b1", "i8"]), st.sampled_from([(), (3,), (8, 16)]))
def test_what_was_held_stays(growth: list[int], dtype: str, shape: tuple[int, ...]) -> None:
    """However often it grows, a column equals one that was copied each time."""
    column = expected = np.zeros((0, *shape), dtype)
    for more in growth:
        capacity = len(expected) + more
        copied = np.zeros((capacity, *shape), dtype)
        copied[: len(expected)] = expected
        held, column = [column], np.zeros(0)
        column = room.longer(held.pop(), capacity)
        assert np.array_equal(column, copied)
        column[-1], copied[-1] = 1, 1
        expected = copied


def test_large_columns_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column with a mapping of its own is not copied."""
    held = [room.longer(np.zeros((0, 64)), room.MAPPED)]
    held[0][5] = 7
    monkeypatch.delattr(room, "_copied")
    column = room.longer(held.pop(), 4 * room.MAPPED)
    assert column.shape == (4 * room.MAPPED, 64)
    assert column[5].tolist() == [7] * 64
    assert not column[room.MAPPED :: 1_000].any()


def test_what_is_looked_at_is_copied() -> None:
    """Who still holds the old column sees what was there, never memory that has gone."""
    old = room.longer(np.zeros((0, 64)), room.MAPPED)
    old[5] = 7
    column = room.longer(old, 2 * room.MAPPED)
    column[5] = 8
    assert old[5].tolist() == [7] * 64
    assert column[5].tolist() == [8] * 64


def test_small_columns_have_no_mapping() -> None:
    """A process may have some 65,000 mappings: a thousand models of few clients need none."""
    column = room.longer(np.zeros((0, 4)), 100)
    assert not isinstance(column.base, np.ndarray | mmap.mmap)
