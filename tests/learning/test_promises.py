"""What a population promises, on real digits: honest clients go free, thieves don't."""

from functools import cache

import numpy as np
import pytest

from detector.detector import Detector
from detector.learning import Options, learn
from detector.policy import Policy
from detector.population import Population, dump
from detector.query import Queries
from tests.learning import world

CLIENTS = 120
POISONED = 6  # one in twenty


@cache
def _past() -> Queries:
    return world.asked(world.honest(world.PAST, CLIENTS, seed=1))


@cache
def _population() -> Population:
    return learn([_past()], world.SHAPE)


def _blocked(population: Population, lives: dict[str, world.Images]) -> set[str]:
    detector = Detector(Policy(), {"digits": population})
    detector.assess(world.asked(lives))
    return {line.client for line in detector.clients() if line.highest_standing == "confirmed"}


def test_population_is_ready_and_describes_itself() -> None:
    """120 ordinary clients make a population that is neither cold nor gated and says what it supports."""
    population = _population()
    assert not population.cold
    assert not population.gated
    assert (population.clients, population.known, population.oldest) == (CLIENTS, CLIENTS, world.LIFE)
    assert "2.50%" in " ".join(population.notes)
    assert {"far3", "dis", "line", "lat"} <= population.ceilings.keys()
    assert set(population.strong) == {"lat", "lineN", "lineM", "sten"}


def test_no_honest_client_is_blocked() -> None:
    """None of 60 honest clients with images that the past does not hold is blocked."""
    assert _blocked(_population(), world.honest(world.LATER, 60, seed=2)) == set()


def test_thieves_are_blocked() -> None:
    """Bisection, noise and foreign scenes are blocked: the ceilings are not so high that nothing is seen."""
    lives = world.thieves(world.LATER, 3, seed=3)
    assert _blocked(_population(), lives) == set(lives)


@pytest.mark.parametrize("thief", [world.bisection, world.noise])
def test_thieves_in_the_past_do_not_open_the_door(thief: object) -> None:
    """One in twenty clients of the past being thieves: they are set aside by name and their like is still blocked."""
    assert callable(thief)
    rng = np.random.default_rng(4)
    poison = {f"poison {number}": thief(world.PAST, rng) for number in range(POISONED)}
    past = world.asked(world.honest(world.PAST, CLIENTS, seed=1) | poison)
    population = learn([past], world.SHAPE)
    assert population.clients == CLIENTS
    assert any(f"{POISONED} clients were set aside" in note and "poison 0" in note for note in population.notes)
    later = {f"thief {number}": thief(world.LATER, rng) for number in range(3)}
    assert _blocked(population, later) == set(later)


@pytest.mark.slow  # learns once more; that labels arrive here is tested with the command
def test_whom_a_person_calls_ordinary_teaches() -> None:
    """A client that the first pass would set aside stays, on a person's word; its like does not."""
    rng = np.random.default_rng(4)
    poison = {f"poison {number}": world.noise(world.PAST, rng) for number in range(POISONED)}
    past = world.asked(world.honest(world.PAST, CLIENTS, seed=1) | poison)
    population = learn([past], world.SHAPE, Options(said={"poison 0": "false-positive"}))
    assert population.clients == CLIENTS + 1
    assert any(f"{POISONED - 1} clients were set aside" in note and "poison 0" not in note for note in population.notes)


def test_same_records_same_bytes() -> None:
    """However the past is cut into batches and its clients interleaved, the file is the same."""
    past = _past()
    order = np.argsort(np.arange(len(past)) % world.LIFE, kind="stable")  # every client's first query, then second, …
    turns = past.take(order)
    parts = [turns.take(slice(begin, begin + 1_700)) for begin in range(0, len(turns), 1_700)]
    assert dump([learn(parts, world.SHAPE)]) == dump([_population()])
