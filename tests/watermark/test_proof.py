"""Proof: p-values against exact sums, and verdicts that promise no more than they can."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gateway.watermark.proof import LEVEL, Count, needed, tail, together, verdict


@given(st.integers(0, 120), st.integers(0, 120), st.integers(2, 60))
def test_p_is_the_exact_binomial_tail(matches: int, marks: int, classes: int) -> None:
    """The sum of the binomial in whole fractions, and scipy's own test, say the same."""
    matches = min(matches, marks)
    rate = Fraction(1, classes)
    exact = sum(comb(marks, k) * rate**k * (1 - rate) ** (marks - k) for k in range(matches, marks + 1))
    assert tail(matches, marks, 1 / classes) == pytest.approx(float(exact), rel=1e-9, abs=1e-300)
    if marks:
        scipy = stats.binomtest(matches, marks, 1 / classes, alternative="greater").pvalue
        assert tail(matches, marks, 1 / classes) == pytest.approx(scipy, rel=1e-9, abs=1e-300)


def test_verdicts() -> None:
    """A copy below the level; too few marks where even all could not reach it; else not shown."""
    assert verdict([Count("a", 25, 25, 0.1)]) == "copy"
    assert verdict([Count("a", 25, 3, 0.1)]) == "not shown"
    assert verdict([Count("a", 9, 9, 0.1)]) == "too few marks"
    assert verdict([]) == "too few marks"
    assert verdict([Count("a", 25, 0, 0.1), Count("b", 20, 20, 0.125)]) == "copy"
    assert together([Count("a", 1, 1, 0.5), Count("b", 1, 0, 0.5)]) == 1.0
    assert together([Count("a", 10, 10, 0.1), Count("b", 5, 0, 0.1)]) == pytest.approx(2e-10)


@given(st.floats(0.3, 1.0), st.sampled_from([1 / 9, 1 / 8, 1 / 42]))
def test_needed_marks_are_enough(share: float, rate: float) -> None:
    """That many marks decide, if this share matches."""
    count = needed(share, rate)
    assert count is not None
    assert tail(int(share * count), count, rate) < LEVEL


def test_no_number_of_marks_shows_chance() -> None:
    """Who matches no more often than by chance is never shown to be a copy."""
    assert needed(0.1, 0.1) is None
    assert needed(0.5, 1.0) is None
