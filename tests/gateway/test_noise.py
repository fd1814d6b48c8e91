"""Keyed noise: what it is like, and that no way of asking averages it out."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from gateway.outputs import GaussianNoise, served
from gateway.outputs.noise import REACH, field
from tests.gateway.outputs import Floats, asked, dirichlet

Doubles = npt.NDArray[np.float64]
SECRETS = [str(at).encode() for at in range(300)]
FEATURES, HIDDEN, CLASSES, REPEATS = 64, 24, 10, 10
_rng = np.random.default_rng(0)
FIRST = _rng.standard_normal((FEATURES, HIDDEN)) / np.sqrt(FEATURES)
LAST = 2 * _rng.standard_normal((HIDDEN, CLASSES)) / np.sqrt(HIDDEN)
INPUTS = _rng.standard_normal((40, FEATURES))
BLIND = np.linalg.svd(FIRST)[0][:, HIDDEN:]  # directions in which the model does not look


def model(inputs: Doubles) -> Floats:
    """Answer as a network with one hidden layer."""
    scores = np.exp(np.maximum(inputs @ FIRST, 0) @ LAST)
    answers: Floats = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    return answers


def remaining(deterministic: bool, asked_inputs: Callable[[int], Doubles]) -> float:
    """Return how much noise (its deviation over secrets) is left in the mean of ten answers, as a share of one's."""
    step = GaussianNoise(scale=0.03, deterministic=deterministic)

    def answers(secret: bytes, at: int) -> Floats:
        return served([step], asked(model(asked_inputs(at)), secret))

    once = np.array([answers(secret, 0) for secret in SECRETS[:40]])
    mean = np.array([np.mean([answers(secret, at) for at in range(REPEATS)], axis=0) for secret in SECRETS[:40]])
    return float(mean.std(axis=0).mean() / once.std(axis=0).mean())


def _near(share: float) -> Callable[[int], Doubles]:
    return lambda at: INPUTS + share * np.random.default_rng(at).standard_normal(INPUTS.shape)


def _unseen(at: int) -> Doubles:
    blind = np.random.default_rng(at).standard_normal((len(INPUTS), FEATURES - HIDDEN)) @ BLIND.T
    moved: Doubles = INPUTS + 5 * blind
    return moved


def test_asking_again_gains_nothing() -> None:
    """Ten answers to one input are one answer, whoever asks; independent noise falls to a third."""
    step = GaussianNoise()
    answers = [served([step], asked(model(INPUTS))) for _ in range(REPEATS)]
    assert all((answer == answers[0]).all() for answer in answers)
    assert remaining(False, lambda _: INPUTS) == pytest.approx(1 / np.sqrt(REPEATS), abs=0.04)


@pytest.mark.parametrize(("share", "least"), [(0.01, 0.99), (0.05, 0.97), (0.2, 0.85)])
def test_asking_nearby_gains_little(share: float, least: float) -> None:
    """Nor do ten inputs nearby (moved by a share of the input's deviation) average the noise out."""
    assert remaining(True, _near(share)) >= least


def test_moving_where_the_model_is_blind_gains_nothing() -> None:
    """Far inputs with the same answer have the same noise."""
    assert remaining(True, _unseen) == pytest.approx(1, abs=0.01)


def test_standard_normal_and_smooth() -> None:
    """Over secrets: mean 0, deviation 1, and the correlation that the neighbourhood promises."""
    rows = dirichlet(6, 5)
    drawn = np.array([field(asked(rows, secret)) for secret in SECRETS])
    assert np.abs(drawn.mean(axis=0)).max() < 0.25
    assert np.abs(drawn.std(axis=0) - 1).max() < 0.2
    roots = np.sqrt(rows.astype(np.float64))
    distances = np.linalg.norm(roots[:, None] - roots, axis=2)
    products = (drawn[:, :, None] * drawn[:, None]).mean(axis=(0, 3))
    np.testing.assert_allclose(products, np.exp(-(distances**2) / (2 * REACH**2)), atol=0.15)


def test_other_secret_or_model_other_noise() -> None:
    """Noise of another installation or model says nothing of ours; any length of secret will do."""
    rows = dirichlet(200, 10)
    ours = field(asked(rows))
    for other in (field(asked(rows, secret=b"")), field(asked(rows, secret=b"s" * 200)), field(asked(rows, model="x"))):
        assert abs(np.corrcoef(ours.ravel(), other.ravel())[0, 1]) < 0.3
