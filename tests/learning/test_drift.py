"""Drift: a change within the past is noticed, and noise is not."""

import numpy as np

from detector.learning import drift

WINDOWS = 4_000
DAY = 86_400_000_000  # µs


def _rows(shift: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    rows = rng.uniform(0.2, 0.4, (WINDOWS, 2)).astype(np.float32)
    time = rng.permutation(np.arange(WINDOWS, dtype=np.int64)) * DAY // 100
    rows[time >= 20 * DAY, 1] += np.float32(shift)
    return rows, time


def test_a_lasting_change_is_noticed_after_it_happened() -> None:
    """One column moves after 20 of 40 days: it alone is told, with a later time."""
    moved = dict(drift.moves(*_rows(0.1)))

    assert list(moved) == [1]
    assert moved[1] >= 20 * DAY


def test_noise_is_no_change() -> None:
    """Nothing is told of columns that stay, that are unknown, or of a short past."""
    rows, time = _rows(0)
    rows[:, 0] = np.nan

    assert list(drift.moves(rows, time)) == []
    assert list(drift.moves(_rows(0.3)[0][:500], time[:500])) == []
