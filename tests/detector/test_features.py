"""Features: row by row the same bits, and what counts as an image."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import features, geometry
from detector.population import Population
from detector.query import Shape
from tests.detector import build


@pytest.mark.parametrize(
    ("shape", "image", "coarse"),
    [
        ((8, 8), True, 16),
        ((28, 28), True, 49),
        ((32, 32, 3), True, 192),
        ((3, 32, 32), True, 192),
        ((224, 224, 3), True, 192),
        ((6, 6), True, 16),
        ((5, 30), False, 150),
        ((30, 30, 30), False, 256),
        ((10,), False, 10),
        ((1,), False, 1),
    ],
)
def test_layout(shape: Shape, image: bool, coarse: int) -> None:
    """Images have two large sides and 1, 3 or 4 channels, and at least 16 coarse cells; all else is a vector."""
    layout = geometry.layout(shape)

    assert (layout.image, layout.coarse) == (image, coarse)
    assert 1 <= geometry.components(layout.coarse) <= min(32, max(coarse, 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 39))
def test_rows_do_not_know_of_each_other(count: int, first: int) -> None:
    """A query has the same features, to the last bit, alone and in any batch."""
    life = build.life(build.PLAIN[0], 50, 80)
    assert life.input is not None
    whole = features.extract(build.population(), life.input, life.label)
    part = features.extract(build.population(), life.input[first : first + count], life.label[first : first + count])

    for name in features.Features._fields:
        assert np.array_equal(getattr(part, name), getattr(whole, name)[first : first + count], equal_nan=True)


def test_a_coarse_view_ignores_brightness_and_noise() -> None:
    """A darker, noisier copy stays closer than another image does; so shifted clients do not look foreign."""
    life = build.life(build.PLAIN[0], 51, 40)
    assert life.input is not None
    random = np.random.default_rng(1)
    copy = life.input * np.float32(0.8) + random.normal(0.1, 0.02, life.input.shape).astype(np.float32)
    mine, other = (features.views(build.population(), rows).u for rows in (life.input, copy))
    near = np.linalg.norm(mine - other, axis=1)
    far = np.linalg.norm(mine - np.roll(mine, 1, axis=0), axis=1)

    assert near.max() < np.median(far)


def test_projections_depend_on_model_and_size_only() -> None:
    """Every process sees the same sketch; another model's is another."""
    geometry.projection.cache_clear()
    first = geometry.projection("digits", 64).copy()
    geometry.projection.cache_clear()

    assert np.array_equal(first, geometry.projection("digits", 64))
    assert not np.array_equal(first, geometry.projection("letters", 64))


def test_inputs_too_large_or_unseen_have_no_lens() -> None:
    """Above the limit, and before anything was learnt, only signals without input speak."""
    huge = replace(build.population(), shape=(geometry.INPUT_MAX + 1,))
    bare = replace(build.population(), arrays={})

    assert features.lens(huge) is None
    assert features.lens(bare) is None


def _table() -> Population:
    size = 300
    arrays = {
        "offset": np.zeros(size, np.float32),
        "scale": np.ones(size, np.float32),
        "levels": np.array([0.0, 1.0], np.float32),
        "levels_start": np.concatenate([[0], np.full(size, 2)]).astype(np.int32),
    }
    return replace(build.population(), shape=(size,), arrays=arrays)


def test_a_wide_table_is_folded_and_its_grid_checked() -> None:
    """A table of 300 columns becomes 256; a discrete column off its values is rough; far values are cut."""
    inputs = np.zeros((2, 300), np.float32)
    inputs[1, 0] = 0.5
    inputs[1, 1] = 3e38
    seen = features.views(_table(), inputs)

    assert seen.u.shape == (2, 256)
    assert seen.tex.tolist() == [0.0, 1.0]
    assert np.isfinite(seen.z).all()
