"""Thieves ask as often as they may, and the same again."""

import numpy as np
import pytest

from benchmarks.arena import attacks, variants
from benchmarks.arena.attacks import ADAPTIVE, ATTACKS
from benchmarks.arena.stream import World
from tests.benchmarks.toy import world

BUDGET = 130


@pytest.fixture(scope="module", name="toy")
def _toy() -> World:
    return world()


@pytest.mark.parametrize("name", [*ATTACKS, *ADAPTIVE])
def test_a_thief_spends_its_budget(toy: World, name: str) -> None:
    """Inputs are finite and within range; the answers are the victim's."""
    stream = attacks.theft(toy, name, 0, BUDGET)
    assert stream.inputs.shape == (BUDGET, 64)
    assert stream.inputs.dtype == np.float32
    assert 0 <= stream.inputs.min() <= stream.inputs.max() <= 1
    np.testing.assert_allclose(stream.probabilities, toy.victim.ask(stream.inputs), atol=1e-4)  # sums of another batch


@pytest.mark.parametrize("name", ["bisection", "data-free", "jbda"])
def test_a_thief_does_the_same_again(toy: World, name: str) -> None:
    """Seed, name and number decide everything."""
    first, again, other = (attacks.theft(toy, name, number, BUDGET) for number in (0, 0, 1))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    assert not np.array_equal(first.inputs, other.inputs)


def test_knockoff_begins_its_pool_again(toy: World) -> None:
    """A pool smaller than the budget is asked twice."""
    pool = len(toy.data.foreign)
    assert len(attacks.theft(toy, "knockoff", 0, pool + 5)) == pool + 5


def test_variants_keep_the_theft(toy: World) -> None:
    """Cover hides the first questions in order; dealing loses none; a drip changes only the pace."""
    pure = attacks.theft(toy, "uniform noise", 0, 400)
    hidden = variants.covered(toy, pure, "cover 75")
    assert len(hidden) == variants.LENGTHS["cover 75"]
    assert hidden.theft is not None
    np.testing.assert_array_equal(hidden.inputs[hidden.theft], pure.inputs[:300])
    dealt = variants.dealt(pure, 8)
    assert len({stream.client for stream in dealt}) == 8
    assert sum(map(len, dealt)) == 400
    assert variants.dripped(pure).gap > pure.gap
