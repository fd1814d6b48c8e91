"""Marked answers: a keyed share, always the same, of one client alone, and nothing else is touched."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import stats

from gateway.outputs import Asked, ClassLabels, labels
from gateway.watermark.dawn import BadMarking, Marking, marked

SECRET = b"0123456789abcdef"
Floats = npt.NDArray[np.float32]

ANSWERS = npst.arrays(np.float32, st.tuples(st.integers(0, 8), st.integers(1, 6)), elements=st.floats(0, 1, width=32))
SHARES = st.floats(0, 0.05)


def marking(client: str = "thief", share: float = 0.05, **other: Any) -> Marking:
    """Return a marking."""
    return Marking(**{"secret": SECRET, "client": client, "model": "digits", "share": share, **other})


def asked(rows: int, seed: int = 0, size: int = 64) -> Floats:
    """Return inputs as of an image."""
    return np.random.default_rng(seed).random((rows, size), dtype=np.float32)


def answered(rows: int, classes: int = 10, seed: int = 1) -> Floats:
    """Return probabilities."""
    return np.random.default_rng(seed).dirichlet(np.ones(classes), rows).astype(np.float32)


@given(ANSWERS, SHARES, st.integers(1, 80), st.integers(0, 9))
def test_only_marked_rows_change_and_only_by_a_swap_at_the_top(
    said: Floats, share: float, size: int, seed: int
) -> None:
    """Rows keep their numbers; marked ones name another class; inputs and answers given are not modified."""
    inputs = asked(len(said), seed, size)
    before = inputs.copy(), said.copy()
    served, which = marked(inputs, said, marking(share=share))
    assert (np.array_equal(inputs, before[0]), np.array_equal(said, before[1])) == (True, True)
    assert (served.shape, served.dtype.name, which.shape) == (said.shape, "float32", (len(said),))
    assert np.array_equal(served[~which], said[~which])
    assert np.array_equal(np.sort(served, axis=1), np.sort(said, axis=1))
    assert (labels(served) != labels(said))[which].all()
    assert ((served != said).sum(axis=1) <= 2).all()
    if said.shape[1] < 3:
        assert not which.any()


@pytest.mark.parametrize("size", [1, 9, 64, 784])
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_the_share_is_kept(size: int, share: float) -> None:
    """Of many different inputs about that share is marked; the bounds miss once in a million."""
    inputs = np.random.default_rng(size).normal(size=(4_000, size)).astype(np.float32) * 10
    _, which = marked(inputs, answered(4_000), marking(share=share))
    different = 4_000 if size > 1 else 500  # of one number, many inputs are neighbours
    low, high = stats.binom.interval(1 - 1e-6, different, share)
    assert low / different <= which.mean() <= high / different


def test_the_same_question_gets_the_same_answer() -> None:
    """Asked again, alone or among others, answered a little otherwise or scaled: the mark is the same."""
    inputs, said = asked(500), answered(500)
    served, which = marked(inputs, said, marking())
    for at in np.flatnonzero(which)[:10]:
        one, alone = marked(inputs[at : at + 1], said[at : at + 1], marking())
        assert alone.all()
        assert np.array_equal(one[0], served[at])
    only, where = marked(inputs, ClassLabels().apply(Asked("digits", said, b"")), marking())
    assert np.array_equal(where, which)
    assert np.array_equal(labels(only), labels(served))
    assert np.array_equal(marked(inputs * 255, said, marking())[1], which)


def test_tiny_changes_do_not_undo_a_mark() -> None:
    """Four in five marks at least outlive noise of 1 % of an input's spread; repeats cannot vote a mark away."""
    inputs, said = asked(4_000), answered(4_000)
    _, which = marked(inputs, said, marking())
    noisy = inputs[which] + np.random.default_rng(2).normal(0, 0.003, inputs[which].shape).astype(np.float32)
    assert marked(noisy, said[which], marking())[1].mean() > 0.8


@pytest.mark.parametrize("other", [{"client": "friend"}, {"model": "letters"}, {"secret": b"another secret!!"}])
def test_each_client_model_and_secret_has_marks_of_its_own(other: dict[str, Any]) -> None:
    """Two that differ in one of the three share no more marks than chance gives."""
    inputs, said = asked(4_000), answered(4_000)
    _, mine = marked(inputs, said, marking())
    _, theirs = marked(inputs, said, marking(**other))
    assert (mine & theirs).sum() <= stats.binom.isf(1e-6, 4_000, 0.05**2)


@pytest.mark.parametrize("wrong", [{"share": 0.06}, {"share": -0.01}, {"share": float("nan")}, {"secret": b"short"}])
def test_a_marking_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """Above one in twenty honest users would suffer; a short secret can be guessed."""
    with pytest.raises(BadMarking, match="mark: "):
        marking(**wrong)
