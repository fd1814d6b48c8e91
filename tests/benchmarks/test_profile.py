"""The profile: stages that exist, time that is charged once."""

import time

import numpy as np
import pytest

from benchmarks import profile, world
from detector import windows
from detector.signals import SIGNALS


def test_a_stage_is_not_charged_for_those_it_calls() -> None:
    """All time goes to one stage or another, and the inner one's is its own."""
    clock = profile.Clock()
    inner = clock.timed(profile.Stage("inner", None, ""), lambda: _work(0.02))
    outer = clock.timed(profile.Stage("outer", None, ""), inner)
    started = time.thread_time_ns()
    outer()
    clock.leave()

    assert clock.spent.total() >= time.thread_time_ns() - started - 5_000_000
    assert clock.spent["inner"] > 0.02e9 > clock.spent["outer"]


def test_stages_are_the_detectors_own_and_put_back() -> None:
    """A renamed function would leave its stage untimed."""
    before = [getattr(stage.owner, stage.function) for stage in profile.STAGES]
    with profile.wrapped(profile.Clock()):
        inside = [getattr(stage.owner, stage.function) for stage in profile.STAGES]

    assert all(one is not other for one, other in zip(before, inside, strict=True))
    assert before == [getattr(stage.owner, stage.function) for stage in profile.STAGES]
    assert vars(windows)["SIGNALS"] is SIGNALS


@pytest.mark.parametrize(("numbers", "shape"), [(9, (9,)), (64, (8, 8)), (784, (28, 28)), (3_072, (32, 32, 3))])
def test_made_up_clients(numbers: int, shape: tuple[int, ...]) -> None:
    """Inputs have the shape that was asked for, and answers of all classes."""
    made = world.World(np.random.default_rng(1), numbers)
    asked = made.asked("client", 20, 600, thieves=False)

    assert made.shape == shape
    assert asked.input is not None
    assert asked.input.shape == (600, numbers)
    assert len(np.unique(asked.label)) == world.CLASSES


def _work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
