"""Steps: what synthetic data leaves behind is seen; light, noise, rounding, few grey levels and sweeps are not."""

import numpy as np
import numpy.typing as npt
import pytest

from detector.geometry import COORDS
from detector.steps import brightness, constant_step, moved, room, same_step

Coords = npt.NDArray[np.int16]
RNG = np.random.default_rng(5)
GREY = RNG.integers(300, 700, COORDS).astype(np.int16)  # thousandths: a natural image has all values
NOISE = RNG.normal(0, 60, COORDS).round().astype(np.int16)
WALK = (50 * RNG.choice([-5, -3, -1, 1, 3, 5], COORDS)).astype(np.int16)  # five steps, some of them back
ROOM = room()
SIGNS = RNG.choice([-1, 1], COORDS).astype(np.int16)


def _each(*steps: int) -> Coords:
    return np.resize(np.array(steps, np.int16), COORDS)


@pytest.mark.parametrize(
    ("steps", "synthetic"),
    [
        (_each(100, -100), True),
        (_each(100, -100, 0, 0), True),
        (WALK, True),
        (_each(100), False),  # all brighter by the same: a change of light
        (_each(0), False),
        (_each(5, -5), False),  # below what quantisation does
        (NOISE, False),
    ],
    ids=["signs", "half of them", "walk", "light", "nothing", "rounding", "noise"],
)
def test_constant_steps(steps: Coords, synthetic: bool) -> None:
    """Sign noise of one size, or a walk of steps of one size, is seen."""
    assert constant_step(moved(GREY + steps, GREY, (COORDS, True), ROOM), GREY, 0, ROOM) == synthetic


def test_clipped_pixels_do_not_hide_a_step() -> None:
    """Where a step leaves the range the pixel ends at its end; the others still tell."""
    parent = np.where(np.arange(COORDS) % 2 == 0, 50, GREY).astype(np.int16)
    child = np.clip(parent + 100 * SIGNS, 0, 1_000).astype(np.int16)

    assert constant_step(moved(child, parent, (COORDS, True), ROOM), parent, 0, ROOM)


def test_few_grey_levels_are_no_step() -> None:
    """Two frames of eight grey levels differ by one level in both directions, as their own values do."""
    parent = (125 * RNG.integers(1, 7, COORDS)).astype(np.int16)

    assert not constant_step(moved(parent + 125 * SIGNS, parent, (COORDS, True), ROOM), parent, 0, ROOM)


def test_even_brightness_is_told_with_its_size_and_sign() -> None:
    """A shift of all coordinates is told; noise and sign noise are not."""
    assert brightness(moved(GREY + np.int16(120), GREY, (COORDS, True), ROOM), ROOM) == 120
    assert brightness(moved(GREY - np.int16(120), GREY, (COORDS, True), ROOM), ROOM) == -120
    assert brightness(moved(GREY + NOISE, GREY, (COORDS, True), ROOM), ROOM) == 0
    assert brightness(moved(GREY + 120 * SIGNS, GREY, (COORDS, True), ROOM), ROOM) == 0


def test_a_table_thiefs_step_has_a_size_of_its_own_in_each_column() -> None:
    """The second step of the same sizes with other signs is seen; a retry, a sweep of two columns and noise are not."""
    sizes = np.array([310, 95, 240, 55, 410, 130])

    def seen(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> bool:
        last, parent = np.zeros(COORDS, np.int16), np.zeros(COORDS, np.int16)
        moved = [np.resize(np.pad(step, (0, COORDS - 6)), COORDS).astype(np.int16) for step in (first, second)]
        assert not same_step(moved[0], parent, last, 6)
        return bool(same_step(moved[1], parent, last, 6))

    one, other = np.array([1, -1, 1, 1, -1, 1]), np.array([1, 1, -1, 1, -1, -1])
    assert seen(one * sizes, other * sizes)
    assert not seen(one * sizes, one * sizes)
    assert not seen(one * sizes, np.array([310, -95, 0, 0, 0, 0]))
    assert not seen(one * sizes, other * (sizes * 1.3).astype(np.int64))
