"""Pasts that teach little or nothing: a population that says so, or a clear LearnError; never a crash."""

from dataclasses import replace

import numpy as np
import pytest

from detector.learning import LearnError, Options, learn
from detector.population import dump, load
from detector.query import Queries, Shape
from tests.learning.world import queries

CLIENTS, EACH = 12, 40
RNG = np.random.default_rng(5)
COUNT = CLIENTS * EACH


def _past(size: int, label: object, inputs: object = None, *, margins: bool = True) -> Queries:
    given = RNG.random((COUNT, size), np.float32) if inputs is None else np.asarray(inputs, np.float32)
    client = np.tile(np.arange(CLIENTS, dtype=np.int32), EACH)
    margin = RNG.random(COUNT, np.float32) if margins else None
    names = tuple(f"client {number}" for number in range(CLIENTS))
    return queries(names, client, np.broadcast_to(np.asarray(label, np.int64), COUNT), given, margin)


PASTS: dict[str, tuple[Queries, Shape]] = {
    "constant inputs": (_past(64, RNG.integers(0, 5, COUNT), np.ones((COUNT, 64))), (8, 8)),
    "all answers equal": (_past(64, 3), (8, 8)),
    "two classes, labels only": (_past(64, RNG.integers(0, 2, COUNT), margins=False), (8, 8)),
    "opaque labels": (_past(5, RNG.choice([99, 2**40, 2**61 + 7], COUNT), margins=False), (5,)),
    "no labels": (_past(64, -1), (8, 8)),
    "one number": (_past(1, RNG.integers(0, 2, COUNT)), (1,)),
    "one number, always 0": (_past(1, RNG.integers(0, 2, COUNT), np.zeros((COUNT, 1))), (1,)),
    "binary table": (_past(6, RNG.integers(0, 3, COUNT), RNG.integers(0, 2, (COUNT, 6))), (6,)),
    "wide table": (_past(300, RNG.integers(0, 3, COUNT), RNG.standard_normal((COUNT, 300))), (300,)),
    "a class each query": (_past(64, np.arange(COUNT)), (8, 8)),
    "inputs not logged": (replace(_past(64, RNG.integers(0, 5, COUNT)), has_input=np.zeros(COUNT, np.bool_)), (8, 8)),
    "no inputs at all": (replace(_past(64, RNG.integers(0, 5, COUNT)), input=None), ()),
    "one client": (_past(64, RNG.integers(0, 5, COUNT)).take(slice(0, None, CLIENTS)), (8, 8)),
    "one query": (_past(64, 0).take(slice(0, 1)), (8, 8)),
}


@pytest.mark.parametrize("name", PASTS)
def test_poor_past_is_cold_and_says_so(name: str) -> None:
    """A past of few clients, whatever it lacks, gives a population that enforces nothing and can be stored."""
    past, shape = PASTS[name]
    population = learn([past], shape)
    assert population.cold
    assert any(note.startswith("cold") for note in population.notes)
    assert all(np.isfinite(value) for value in population.numbers.values())
    assert all(0 < ceiling < 1 for ceiling in population.ceilings.values())
    assert load(dump([population]))["m"].version == population.version


@pytest.mark.parametrize("name", ["no labels", "inputs not logged", "no inputs at all", "one query"])
def test_without_virtual_kinds_the_population_is_gated(name: str) -> None:
    """Where no virtual kind can be made and clients are all alike, distribution evidence alone never blocks."""
    past, shape = PASTS[name]
    assert learn([past], shape).gated


def test_nothing_scored_is_an_error() -> None:
    """A past of refused queries only, or of none, teaches nothing, and the error says so."""
    past, shape = PASTS["two classes, labels only"]
    for parts in ([], [replace(past, scored=np.zeros(COUNT, np.bool_))]):
        with pytest.raises(LearnError, match="no scored query"):
            learn(parts, shape)


def test_everybody_left_out_is_an_error() -> None:
    """Leaving out every client leaves nothing to learn from, and the error says so."""
    past, shape = PASTS["two classes, labels only"]
    with pytest.raises(LearnError, match="left out"):
        learn([past], shape, Options(said=dict.fromkeys(past.clients, "left-clear")))
