"""Learning with the model itself at hand, and with a sample of the owner's own data."""

from dataclasses import replace
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest

from detector import features
from detector.detector import Detector
from detector.geometry import layout
from detector.learning import LearnError, Options, learn, unanswered, virtual
from detector.learning.answers import Model, recognised
from detector.learning.virtual import Pool, images
from detector.learning.virtual.images import IMAGES
from detector.policy import Policy
from detector.population import Population, dump
from detector.query import Queries
from detector.wire import label_code
from tests.learning import world

CLIENTS: Final = 110
FEW: Final = 18  # too few for a first pass, which would take as long again
WORDS = np.array([label_code(f"class {number}") for number in range(10)])


def ask(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return what the victim says."""
    said: npt.NDArray[np.float32] = world.victim().predict_proba(inputs).astype(np.float32)
    return said


@cache
def past() -> Queries:
    """Return the past of honest clients."""
    return world.asked(world.honest(world.PAST, CLIENTS, seed=1))


@cache
def asked() -> Population:
    """Return what is learnt with the model at hand."""
    return learn([past()], world.SHAPE, Options(ask=ask))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Queries:
    """Return the past of few clients, and let there be few virtual kinds: enough where only the way is tested."""
    monkeypatch.setattr(virtual, "IMAGES", [kind for kind in IMAGES if kind.name in {"cov", "ramp"}])
    return past().take(np.flatnonzero(past().client < FEW))


def highest(population: Population, lives: dict[str, world.Images]) -> dict[str, str]:
    """Return the highest standing of each client."""
    detector = Detector(Policy(), {"digits": population})
    detector.assess(world.asked(lives))
    return {line.client: line.highest_standing for line in detector.clients()}


@pytest.mark.slow  # a whole little world; the quick arena holds the same
def test_thieves_are_blocked_and_honest_clients_are_not() -> None:
    """With true answers the ceilings are no higher where it matters, and nobody honest pays for it.

    A surrogate that knows true answers to changed copies is contradicted less by foreign scenes,
    which may stay suspected.
    """
    stood = highest(asked(), world.thieves(world.LATER, 3, seed=3))
    assert {standing for client, standing in stood.items() if not client.startswith("scenery")} == {"confirmed"}
    assert set(stood.values()) <= {"confirmed", "suspected"}
    assert "confirmed" not in highest(asked(), world.honest(world.LATER, 60, seed=2)).values()


def test_ceilings_of_changed_answers_are_no_looser_than_sensible() -> None:
    """Honest changes of the answer (sweeps, ramps, augmentation) leave bisection its floors."""
    assert asked().ceilings["lineM"] <= 0.02
    assert asked().ceilings["lineN"] <= 0.15
    assert asked().ceilings["flip"] < 0.9


def test_the_surrogate_learns_the_true_answers(few: Queries) -> None:
    """Trained on the model's own answers to copies, it agrees with the model on such copies of others more often."""
    true, parents = learn([few], world.SHAPE, Options(ask=ask)), learn([few], world.SHAPE)
    rng = np.random.default_rng(5)
    sent = np.concatenate([make(_pool(), rng).inputs for make in (images.ramp, images.cov) for _ in range(25)])
    assert _agreement(true, sent) > _agreement(parents, sent) + 0.005
    assert any("the model's own answers" in note for note in true.notes)
    assert any("`learn --model`" in note for note in parents.notes)


def _pool() -> Pool:
    images = world.digits()[0][world.LATER]
    count = len(images)
    nothing = np.zeros(count, np.intp)
    return Pool(layout(world.SHAPE), images, nothing, np.ones(count, np.float32), nothing, np.ones(64, np.bool_))


def _agreement(population: Population, inputs: npt.NDArray[np.float32]) -> float:
    seen = features.extract(population, inputs, ask(inputs).argmax(1))
    return float(np.mean(seen.sm > 0))


def test_same_model_same_bytes(few: Queries) -> None:
    """Asking changes nothing about determinism, and however much is asked at once."""

    def in_turns(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.concatenate([ask(part) for part in np.array_split(inputs, 3)])

    one, other = (learn([few], world.SHAPE, Options(ask=way)) for way in (ask, in_turns))
    assert dump([one]) == dump([other])


def test_a_stranger_model_is_refused() -> None:
    """A model that answers otherwise than recorded, or knows the usual class only, does not belong to the past."""
    strangers: list[Any] = [
        lambda inputs: np.roll(ask(inputs), 1, axis=1),
        lambda inputs: np.eye(10, dtype=np.float32)[np.zeros(len(inputs), int)],
    ]
    for stranger in strangers:
        with pytest.raises(LearnError, match="do not belong together"):
            recognised(past(), stranger)
    unbalanced = replace(past(), label=np.where(np.arange(len(past())) % 20 == 0, past().label, 0))
    with pytest.raises(LearnError, match="do not belong together"):
        recognised(unbalanced, strangers[1])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda inputs: ask(inputs)[:-1], "not rows of classes"),
        (lambda inputs: ask(inputs)[:, 0], "not rows of classes"),
        (lambda inputs: ask(inputs) * 30 - 10, r"outside 0\.\.1"),
        (lambda inputs: ask(inputs) * np.nan, r"outside 0\.\.1"),
    ],
)
def test_answers_that_are_no_probabilities_are_refused(answer: Any, why: str) -> None:
    """Logits, missing rows and NaN are named before anything is learnt from them."""
    with pytest.raises(LearnError, match=why):
        recognised(past(), answer)


def test_opaque_labels_are_matched_with_columns() -> None:
    """Records that name classes by words are compared with a model that numbers them otherwise."""
    worded = replace(past(), label=WORDS[past().label])

    def shuffled(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return ask(inputs)[:, ::-1]

    model = recognised(worded, shuffled)
    label, margin = model.answers(world.digits()[0][:50])
    assert np.array_equal(label, WORDS[world.victim().predict(world.digits()[0][:50])])
    assert margin.shape == (50,)
    assert Model(ask, WORDS[:4]).named(np.array([3, 9])).tolist() == [WORDS[3], -1]


def test_a_binary_score_has_two_labels() -> None:
    """One column is the probability of class 1."""
    label, margin = Model(lambda inputs: inputs[:, :1]).answers(np.array([[0.25], [1.0]], np.float32))
    assert label.tolist() == [0, 1]
    np.testing.assert_allclose(margin, [0.5, 1])


def test_labels_only_past_stays_without_margins(few: Queries) -> None:
    """Where the past holds no margins the copies get none: an event that nothing real tried has no ceiling."""
    nan = np.full(len(few), np.nan, np.float32)
    population = learn([replace(few, margin_low=nan, margin_high=nan)], world.SHAPE, Options(ask=ask))
    assert "low" not in population.ceilings


def test_a_past_without_inputs_cannot_be_compared() -> None:
    """Asking needs inputs; the error says so."""
    blind = replace(past(), input=None, has_input=np.zeros(len(past()), np.bool_))
    with pytest.raises(LearnError, match="no past query holds an input"):
        learn([blind], (), Options(ask=ask))


@pytest.mark.parametrize(("way", "answered"), [(None, 0), (ask, 800)])
def test_reference_joins_but_is_nobodys_life(few: Queries, way: Any, answered: int) -> None:
    """Reference rows widen what is near, answered or not; clients and queries are counted without them."""
    given = unanswered(world.digits()[0][world.TRAINING])
    population = learn([few], world.SHAPE, Options(ask=way, reference=given))
    assert (population.clients, population.queries) == (FEW, len(few))
    assert any(f"800 rows joined as a kind of their own, {answered} with" in note for note in population.notes)
    assert population.arrays["pca_mean"].tolist() != asked().arrays["pca_mean"].tolist()


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (np.zeros((5, 63), np.float32), "63 numbers, the model's have 64"),
        (np.full((5, 64), np.nan, np.float32), "NaN"),
        (np.random.default_rng(0).random((5, 64), np.float32) * 255, "on the scale"),
    ],
)
def test_reference_of_something_else_is_refused(inputs: npt.NDArray[np.float32], why: str) -> None:
    """Another size, another scale and NaN are named."""
    with pytest.raises(LearnError, match=why):
        learn([past()], world.SHAPE, Options(reference=unanswered(inputs)))
