"""Coarser answers keep the top class, alone at the top, and say no more than they should."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from detector.decision import Action
from gateway.perturb import Probabilities, coarsen, label_only, labels, rounded

ANSWERS = npst.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=st.floats(0, 1, width=32))


@given(ANSWERS)
def test_top_class_stays_alone_on_top(answers: Probabilities) -> None:
    """Both steps keep the class, with no tie at the top, in the same shape and dtype, within 0..1.1."""
    for coarse in (rounded(answers), label_only(answers)):
        assert coarse.shape == answers.shape
        assert coarse.dtype == np.float32
        assert (labels(coarse) == labels(answers)).all()
        if answers.shape[1] > 1:
            assert ((coarse == coarse.max(axis=1, keepdims=True)).sum(axis=1) == 1).all()


@given(ANSWERS)
def test_rounded_holds_tenths_only(answers: Probabilities) -> None:
    """Every number served is a whole number of tenths."""
    tenths = rounded(answers).astype(np.float64) * 10
    assert np.abs(tenths - tenths.round()).max() < 1e-5


def test_rounded_values() -> None:
    """Rounding is to the nearest tenth; a tie, or a row of zeros, gives the top class one tenth more."""
    answers = np.array([[0.07, 0.86, 0.07], [0.34, 0.33, 0.33], [0.33, 0.33, 0.34]], np.float32)
    expected = np.array([[0.1, 0.9, 0.1], [0.4, 0.3, 0.3], [0.3, 0.3, 0.4]], np.float32)
    np.testing.assert_array_equal(rounded(answers), expected)
    many = np.full((1, 100), 0.01, np.float32)
    many[0, 7] = 0.02
    assert rounded(many)[0, 7] == np.float32(0.1)
    assert rounded(many).sum() == np.float32(0.1)


def test_binary_score() -> None:
    """A score just below one half is not rounded up to class 1."""
    scores = np.array([[0.46], [0.5], [0.97]], np.float32)
    np.testing.assert_array_equal(rounded(scores), np.array([[0.4], [0.5], [1.0]], np.float32))
    np.testing.assert_array_equal(label_only(scores), np.array([[0], [1], [1]], np.float32))


def test_ladder() -> None:
    """Allow changes nothing, not even the array; perturb rounds; throttle and above leave the label."""
    answers = np.array([[0.07, 0.86, 0.07]], np.float32)
    assert coarsen(answers, Action.ALLOW) is answers
    np.testing.assert_array_equal(coarsen(answers, Action.PERTURB), rounded(answers))
    np.testing.assert_array_equal(coarsen(answers, Action.THROTTLE), np.array([[0, 1, 0]], np.float32))
