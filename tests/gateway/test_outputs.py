"""Every output step, alone and in chains: honest clients keep their top class, and nothing else goes astray."""

from collections.abc import Sequence
from itertools import combinations
from typing import get_args

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.decision import Action
from gateway.outputs import (
    ClassLabels,
    GaussianNoise,
    HighConfidence,
    MaximisingAngularDeviation,
    Output,
    Rounded,
    Temperature,
    TopK,
    is_label,
    labels,
    served,
)
from gateway.outputs.maximising_angular_deviation import _turned
from gateway.outputs.rows import pairs
from gateway.policy import Defences
from tests.gateway.outputs import ANY_ROWS, CHAINS, DISTRIBUTIONS, STEPS, Floats, asked, dirichlet

NOT_SUMMED = (ClassLabels, HighConfidence, Rounded)
SHARES = st.sampled_from([np.float32(1), np.float32(0.9), np.float32(0)])
TIES = np.array([[0.5, 0.5, 0], [1, 1, 1], [0, 0, 0], [0.34, 0.33, 0.33]], np.float32)


def answers(action: Action) -> Sequence[Output]:
    """Return what the built-in policy does to answers under a decision."""
    return Defences().response(action).outputs


def test_every_step_is_tested() -> None:
    """A step that is registered is in the list that the property tests draw from."""
    assert {type(step) for step in STEPS} == set(get_args(Output))


@given(CHAINS, ANY_ROWS)
@example([Rounded(decimals=1)], TIES)
@example([HighConfidence(cutoff=1)], TIES)
@example([Rounded(decimals=1)], np.array([[0.46], [0.5], [0.54]], np.float32))
def test_chains_keep_form_and_top(chain: list[Output], rows: Floats) -> None:
    """Shape, dtype, 0..1, no NaN; the top class stays, alone at the top; what was given is not changed."""
    before = rows.copy()
    answer = served(chain, asked(rows))
    assert answer.shape == rows.shape
    assert answer.dtype == np.float32
    assert ((answer >= 0) & (answer <= 1)).all()
    assert (labels(answer) == labels(rows)).all()
    both = pairs(answer)
    assert ((both == both.max(axis=1, keepdims=True)).sum(axis=1) == 1).all()
    np.testing.assert_array_equal(rows, before)


@given(CHAINS, ANY_ROWS)
def test_steps_alone_keep_form(chain: list[Output], rows: Floats) -> None:
    """The same without the top class kept; and a chain is its steps, one after another."""
    answer = served(chain, asked(rows), keep_top=False)
    assert answer.shape == rows.shape
    assert answer.dtype == np.float32
    assert ((answer >= 0) & (answer <= 1)).all()
    for step in chain:
        rows = step.apply(asked(rows))
    np.testing.assert_array_equal(answer, rows)


@given(CHAINS, ANY_ROWS, st.booleans())
def test_answered_alike_again_and_alone(chain: list[Output], rows: Floats, keep_top: bool) -> None:
    """The same answer again gives the same bits, in whatever batch."""
    answer = served(chain, asked(rows), keep_top)
    np.testing.assert_array_equal(answer, served(chain, asked(rows.copy()), keep_top))
    alone = [served(chain, asked(rows[row : row + 1]), keep_top) for row in range(len(rows))]
    np.testing.assert_array_equal(answer, np.concatenate(alone))


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("classes", [1, 2, 10, 1_000])
def test_batches_of_any_size(step: Output, classes: int) -> None:
    """A row of a large batch has the bits that it has alone."""
    rows = dirichlet(67, classes)
    answer = served([step], asked(rows))
    alone = [served([step], asked(rows[row : row + 1])) for row in range(len(rows))]
    np.testing.assert_array_equal(answer, np.concatenate(alone))


@given(st.sampled_from([step for step in STEPS if not isinstance(step, NOT_SUMMED)]), DISTRIBUTIONS, SHARES)
def test_rows_keep_their_sum(step: Output, rows: Floats, share: np.float32) -> None:
    """Distributions stay so, and what an earlier step left of one too, but for the steps that say otherwise."""
    if rows.shape[1] > 1:
        rows = rows * share
        sums = step.apply(asked(rows)).sum(axis=1, dtype=np.float64)
        np.testing.assert_allclose(sums, rows.sum(axis=1, dtype=np.float64), atol=1e-6)


@given(ANY_ROWS)
def test_rounded_holds_tenths_only(rows: Floats) -> None:
    """Every number served is a whole number of tenths, the lifted ones too."""
    tenths = served(answers(Action.PERTURB), asked(rows)).astype(np.float64) * 10
    assert np.abs(tenths - tenths.round()).max() < 1e-5


def test_rounded_values() -> None:
    """Rounding is to the nearest tenth; a tie, or a row of zeros, gives the top class one tenth more."""
    rows = np.array([[0.07, 0.86, 0.07], [0.34, 0.33, 0.33], [0.33, 0.33, 0.34]], np.float32)
    expected = np.array([[0.1, 0.9, 0.1], [0.4, 0.3, 0.3], [0.3, 0.3, 0.4]], np.float32)
    np.testing.assert_array_equal(served([Rounded(decimals=1)], asked(rows)), expected)
    many = np.full((1, 100), 0.01, np.float32)
    many[0, 7] = 0.02
    assert served([Rounded(decimals=1)], asked(many))[0, 7] == np.float32(0.1)
    assert served([Rounded(decimals=1)], asked(many)).sum() == np.float32(0.1)


def test_binary_score() -> None:
    """A score is class 1 above one half; near it, it is not rounded to the other side, nor to one half."""
    scores = np.array([[0.46], [0.5], [0.54], [0.97]], np.float32)
    rounded = np.array([[0.4], [0.4], [0.6], [1.0]], np.float32)
    np.testing.assert_array_equal(served([Rounded(decimals=1)], asked(scores)), rounded)
    np.testing.assert_array_equal(served([ClassLabels()], asked(scores)), np.array([[0], [0], [1], [1]], np.float32))


def test_top_that_was_lost_changes_places() -> None:
    """Where a step lets another class win, the two change places, so that the row stays a distribution."""
    rows = dirichlet(200, 10)
    noise = GaussianNoise(scale=0.5)
    lost, kept = served([noise], asked(rows), keep_top=False), served([noise], asked(rows))
    moved = labels(lost) != labels(rows)
    assert moved.sum() > 20
    np.testing.assert_array_equal(np.sort(lost, axis=1), np.sort(kept, axis=1))
    np.testing.assert_array_equal(lost[~moved], kept[~moved])


def test_top_k() -> None:
    """The k likeliest keep their odds, or with the rest spread their very probabilities."""
    rows = np.array([[0.5, 0.25, 0.15, 0.1]], np.float32)
    np.testing.assert_allclose(TopK(k=2).apply(asked(rows)), [[2 / 3, 1 / 3, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(TopK(k=2, rest="spread").apply(asked(rows)), [[0.5, 0.25, 0.125, 0.125]], rtol=1e-6)


def test_temperature() -> None:
    """It divides the logits, of a binary score too."""
    logits = np.array([[2.0, 0.5, -1.0]])
    rows = np.exp(logits) / np.exp(logits).sum()
    cooler = np.exp(logits / 4) / np.exp(logits / 4).sum()
    step = Temperature(temperature=4)
    np.testing.assert_allclose(step.apply(asked(rows.astype(np.float32))), cooler, rtol=1e-5)
    score = np.array([[1 / (1 + np.exp(-2))]], np.float32)
    np.testing.assert_allclose(step.apply(asked(score)), 1 / (1 + np.exp([[-0.5]])), rtol=1e-5)


@given(st.floats(0.01, 2), DISTRIBUTIONS)
def test_angular_deviation_stays_in_its_budget(epsilon: float, rows: Floats) -> None:
    """The answer moves by epsilon at most (L1), a binary score by half of it; the top class stays without help."""
    answer = MaximisingAngularDeviation(epsilon=epsilon).apply(asked(rows))
    assert np.abs(pairs(answer) - pairs(rows)).sum(axis=1).max() <= epsilon + 1e-5
    each, top = np.arange(len(rows)), labels(rows)
    assert (pairs(answer)[each, top] >= pairs(answer).max(axis=1) - 1e-6).all()


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_angular_deviation_finds_the_widest_angle(classes: int) -> None:
    """With the whole simplex as budget and an even belief, no set of classes turns the gradient more than ours."""
    answers = dirichlet(30, classes).astype(np.float64)
    even = np.full((1, classes), 1 / classes)
    turned = _turned(answers, np.repeat(even, 30, axis=0), 2.0)
    for answer, ours in zip(answers, turned, strict=True):
        others = [at for at in range(classes) if at != answer.argmax()]
        sets = [[answer.argmax(), *some] for size in range(classes - 1) for some in combinations(others, size)]
        angles = [_angle(np.eye(classes)[list(one)].mean(axis=0) - even[0], answer - even[0]) for one in sets]
        assert _angle(ours - even[0], answer - even[0]) >= max(angles) - 0.01


def _angle(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.arccos(np.clip(cosine, -1, 1)))


def test_ladder() -> None:
    """Allow changes nothing, not even the array; perturb rounds; throttle and above leave the label."""
    rows = np.array([[0.07, 0.86, 0.07]], np.float32)
    assert served(answers(Action.ALLOW), asked(rows)) is rows
    np.testing.assert_array_equal(served(answers(Action.PERTURB), asked(rows)), np.array([[0.1, 0.9, 0.1]], np.float32))
    for action in (Action.THROTTLE, Action.BLOCK):
        np.testing.assert_array_equal(served(answers(action), asked(rows)), np.array([[0, 1, 0]], np.float32))


def test_policy_names_steps() -> None:
    """Steps are read by name, and what is wrong with one is said."""
    policy = [{"name": "rounded", "decimals": 1}, {"name": "top_k", "k": 3, "rest": "spread"}, {"name": "class_labels"}]
    assert msgspec.convert(policy, list[Output]) == [Rounded(decimals=1), TopK(k=3, rest="spread"), ClassLabels()]
    for step in STEPS:
        assert msgspec.convert(msgspec.to_builtins(step), Output) == step


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"name": "rounding"}, "Invalid value 'rounding'"),
        ({"name": "rounded", "decimals": 0}, r"`int` >= 1 - at `\$.decimals`"),
        ({"name": "rounded", "digits": 1}, "unknown field `digits`"),
        ({"name": "temperature", "temperature": float("nan")}, r"at `\$.temperature`"),
        ({"name": "gaussian_noise", "scale": float("inf")}, r"at `\$.scale`"),
        ({"name": "maximising_angular_deviation", "epsilon": 2.5}, r"`float` <= 2.0"),
    ],
)
def test_policy_is_bounded(step: dict[str, object], why: str) -> None:
    """A wrong name, a wrong member and a number out of bounds are refused by name."""
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(step, Output)


@pytest.mark.parametrize(
    ("row", "expected"), [([0, 1, 0], True), ([1], True), ([0], True), ([0, 0], False), ([0.1, 0.9], False)]
)
def test_label_is_told(row: list[float], expected: bool) -> None:
    """Only a one-hot row, or a binary score of 0 or 1, says no more than a label."""
    assert is_label(np.array(row, np.float32)) is expected
