"""Every kind of client: deterministic, bounded per request, and indifferent to how coarse the answers are."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from gamekeeper.demo import clients, data, honest, surrogate, thieves
from gamekeeper.demo.clients import Answers, Ask, Conversation, Kind
from gamekeeper.demo.data import Images, Parts

QUERIES = 200


@pytest.fixture(scope="module")
def parts() -> Parts:
    """Return the demo's images."""
    return data.load()


@pytest.fixture(scope="module")
def model(parts: Parts) -> LogisticRegression:
    """Return a model to ask: trained on the model's own part, without TensorFlow."""
    return LogisticRegression(max_iter=2000).fit(parts.training.images.reshape(-1, 64), parts.training.digits)


def _full(model: LogisticRegression) -> Ask:
    return lambda images: clients.as_answers(model.predict_proba(images.reshape(-1, 64)))


def _labels(model: LogisticRegression) -> Ask:
    return lambda images: clients.labels_only(model.predict(images.reshape(-1, 64)))


def _talk(kind: Kind, parts: Parts, ask: Ask, seed: int = 1) -> clients.Learnt:
    return clients.drive(Conversation(kind.start(parts, np.random.default_rng(seed))), ask, QUERIES)


@pytest.mark.parametrize("kind", [*honest.KINDS, *thieves.KINDS], ids=lambda kind: kind.name)
@pytest.mark.parametrize("answered", [_full, _labels], ids=["probabilities", "labels"])
def test_kind_asks_on(
    kind: Kind, answered: Callable[[LogisticRegression], Ask], parts: Parts, model: LogisticRegression
) -> None:
    """A client goes on for as long as it is answered, with inputs that the model takes."""
    learnt = _talk(kind, parts, answered(model))
    assert QUERIES <= len(learnt) < QUERIES + clients.PER_REQUEST
    assert learnt.inputs.dtype == np.float32
    assert learnt.inputs.min() >= 0.0
    assert learnt.inputs.max() <= 1.0
    assert np.array_equal(learnt.inputs, np.round(learnt.inputs, 4))


@pytest.mark.parametrize("kind", [*honest.KINDS, *thieves.KINDS], ids=lambda kind: kind.name)
def test_kind_is_repeatable(kind: Kind, parts: Parts, model: LogisticRegression) -> None:
    """The same seed asks the same; another client of the kind asks otherwise."""
    first, again, other = (_talk(kind, parts, _full(model), seed).inputs for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:100], other[:100])


def test_a_refused_client_stops(parts: Parts) -> None:
    """A client who is refused for good asks no more and keeps what it was answered."""
    conversation = Conversation(thieves.KINDS[3].start(parts, np.random.default_rng(0)))
    given = iter([clients.as_answers(np.full((8, 10), 0.1)), None])

    def ask(_: Images) -> Answers | None:
        return next(given)

    learnt = clients.drive(conversation, ask, QUERIES)
    assert learnt.refused
    assert len(learnt) == 8


def test_honest_kinds_never_use_the_thieves_images(parts: Parts, model: LogisticRegression) -> None:
    """Given a part of one image, honest clients show that image alone."""
    only = data.Parts(parts.training, parts.warm_up, parts.warm_up, parts.seeds, parts.test)
    blind = data.Parts(parts.training, parts.warm_up, parts.warm_up, parts.training, parts.training)
    for kind in honest.KINDS:
        assert np.array_equal(_talk(kind, only, _full(model)).inputs, _talk(kind, blind, _full(model)).inputs)


def test_bisection_closes_in_on_the_boundary(parts: Parts, model: LogisticRegression) -> None:
    """The last point of a search is where the model can hardly decide."""
    script = thieves.bisection(parts, np.random.default_rng(3))
    learnt = clients.drive(Conversation(script), _full(model), 60)
    top = np.sort(learnt.answers.probabilities, axis=1)
    assert (top[:, -1] - top[:, -2]).min() < 0.05


def test_surrogate_learns_what_it_is_told(parts: Parts, model: LogisticRegression) -> None:
    """Agreement grows with honest answers, and is that of a constant for a thief who saw one class."""
    truth = model.predict(parts.test.images.reshape(-1, 64))
    labels = model.predict(parts.seeds.images.reshape(-1, 64))
    few = surrogate.agreement(parts.seeds.images[:10], labels[:10], parts.test.images, truth)
    many = surrogate.agreement(parts.seeds.images, labels, parts.test.images, truth)
    constant = surrogate.agreement(parts.seeds.images[:1], labels[:1], parts.test.images, truth)
    assert many > few
    assert many > 0.6
    assert constant == (truth == labels[0]).mean()
