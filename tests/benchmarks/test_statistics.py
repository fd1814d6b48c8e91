"""Intervals and survival curves against independent implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from benchmarks.arena.statistics import interval, lasting, quantile


@pytest.mark.parametrize(("hits", "trials"), [(0, 300), (2, 300), (154, 300), (300, 300)])
def test_interval_is_clopper_and_pearson_s(hits: int, trials: int) -> None:
    """The ends are quantiles of beta distributions."""
    low, high = interval(hits, trials)
    assert low == pytest.approx(0 if hits == 0 else stats.beta.ppf(0.025, hits, trials - hits + 1))
    assert high == pytest.approx(1 if hits == trials else stats.beta.ppf(0.975, hits + 1, trials - hits))


def test_nothing_tried_says_nothing() -> None:
    """Without clients any share is possible."""
    assert interval(0, 0) == (0.0, 1.0)


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=30))
def test_lasting_is_kaplan_and_meier_s(lives: list[tuple[int, bool]]) -> None:
    """The curve has the values of statsmodels' estimator wherever a client ended."""
    ends = [life if ended else None for life, ended in lives]
    queries, share = lasting(ends, [life for life, _ in lives])
    oracle = SurvfuncRight(np.array([life for life, _ in lives]), np.array([ended for _, ended in lives], int))
    assert (queries[0], share[0]) == (0.0, 1.0)
    for at, expected in zip(oracle.surv_times, oracle.surv_prob, strict=True):
        assert share[np.searchsorted(queries, at, side="right") - 1] == pytest.approx(expected)


def test_lasting_by_hand() -> None:
    """Of four clients one ends at 1; one leaves at 2; of the two left one ends at 3: 3/4, then 3/8."""
    queries, share = lasting([1, None, 3, None], [5, 2, 5, 4])
    assert dict(zip(queries.tolist(), share.tolist(), strict=True))[1.0] == 0.75
    assert dict(zip(queries.tolist(), share.tolist(), strict=True))[3.0] == 0.375


def test_quantiles_are_of_those_who_ended() -> None:
    """Who was never blocked has no query at which it was."""
    assert quantile([None, 16, 32], 0.5) == 24
    assert quantile([None, None], 0.5) is None
