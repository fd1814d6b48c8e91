"""The steps that ART has are equal to ART's."""

import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gateway.outputs import ClassLabels, HighConfidence, Output, ReverseSigmoid, Rounded, served
from gateway.outputs.gaussian_noise import noisy
from tests.gateway.outputs import Floats, asked, dirichlet

CASES: list[tuple[Output, dict[str, Any]]] = [
    (HighConfidence(), {}),
    (HighConfidence(cutoff=0.6), {"cutoff": 0.6}),
    (Rounded(), {}),
    (Rounded(decimals=1), {"decimals": 1}),
    (ReverseSigmoid(), {}),
    (ReverseSigmoid(beta=0.7, gamma=0.4), {"beta": 0.7, "gamma": 0.4}),
]


@pytest.fixture(scope="module")
def art() -> ModuleType:
    """Return ART's post-processors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that PyTorch is not there
        from art.defences import postprocessor  # noqa: PLC0415  # seconds

    module: ModuleType = postprocessor
    return module


@pytest.mark.parametrize("classes", [1, 2, 10, 100])
@pytest.mark.parametrize(("step", "parameters"), CASES, ids=str)
def test_equal_to_art(art: ModuleType, step: Output, parameters: dict[str, Any], classes: int) -> None:
    """The same arrays, by default and with parameters; in float64, where ART's clip of a sure answer holds."""
    rows = _rows(classes)
    theirs = getattr(art, type(step).__name__)(**parameters)(rows.astype(np.float64))
    np.testing.assert_allclose(served([step], asked(rows), keep_top=False), theirs, atol=1e-6)


@pytest.mark.parametrize("classes", [1, 2, 10])
def test_class_labels_equal_to_art(art: ModuleType, classes: int) -> None:
    """Row by row: ART marks every row of a batch with the labels of all."""
    rows = _rows(classes)
    theirs = np.concatenate([art.ClassLabels()(rows[at : at + 1]) for at in range(len(rows))])
    np.testing.assert_array_equal(ClassLabels().apply(asked(rows)), theirs)


@pytest.mark.parametrize("classes", [1, 2, 10])
@pytest.mark.parametrize("scale", [0.05, 0.2])
def test_noise_equal_to_art(art: ModuleType, classes: int, scale: float) -> None:
    """The same noise gives the same answer; a binary score, which ART lets past 1, ends there."""
    rows = dirichlet(50, classes, 3)
    np.random.seed(5)  # noqa: NPY002  # what ART draws from
    theirs = art.GaussianNoise(scale=scale)(rows.astype(np.float64))
    np.random.seed(5)  # noqa: NPY002
    noise = np.random.normal(0, scale, rows.shape)  # noqa: NPY002
    expected = theirs.clip(None, 1) if classes == 1 else theirs
    np.testing.assert_allclose(noisy(rows, noise), expected, atol=1e-6)


def _rows(classes: int) -> Floats:
    """Return random rows, and rows of 0, 1 and one half."""
    sure = np.eye(max(classes, 2), dtype=np.float32)[:2, -classes:]
    even = np.full((1, classes), 0.5 if classes == 1 else 1 / classes, np.float32)
    return np.concatenate([dirichlet(60, classes), sure, even])
