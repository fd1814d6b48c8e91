"""Nobody who is judged is seen by learning: not by its inputs, not by its chance, not in time."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arena import attacks, honest
from benchmarks.arena.freezing import Peeking, Setting, Study, blindfolded
from benchmarks.arena.honest import Crowd
from benchmarks.arena.stream import Stream, World
from tests.benchmarks.toy import world

PAST = Crowd("past", ("iid", "narrow"), 4, (50, 80))
SETTING = Setting("toy", PAST, ("iid",))
JUDGED = Crowd("honest", ("iid", "covariate shift"), 2, (50, 80))


@pytest.fixture(scope="module", name="toy")
def _toy() -> World:
    return world()


def _rows(streams: list[Stream]) -> set[bytes]:
    return {row.tobytes() for stream in streams for row in stream.inputs}


def test_the_world_opens_only_once_something_is_frozen(toy: World) -> None:
    """Judged clients first is an error; learning after them is one too."""
    study = Study(toy)
    with pytest.raises(Peeking, match="freeze a population first"):
        study.opened()
    frozen = study.freeze(SETTING)
    assert study.opened() is toy
    assert frozen.version == frozen.population.version
    with pytest.raises(Peeking, match="have been seen"):
        study.freeze(SETTING)


def test_a_changed_population_is_noticed(toy: World) -> None:
    """The version is a hash of the content, taken when it was frozen."""
    study = Study(toy)
    frozen = study.freeze(SETTING)
    dict_of = frozen.population.numbers
    assert isinstance(dict_of, dict)
    dict_of["r"] = 2 * dict_of["r"]
    with pytest.raises(Peeking, match="changed after they were frozen: toy"):
        study.opened()


def test_learning_meets_a_world_without_the_judged_parts(toy: World) -> None:
    """What is not there cannot be peeked at; the past's clients are the same."""
    blind = blindfolded(toy)
    for part in ("honest", "seeds", "test"):
        assert len(getattr(blind.data, part)) == 0
    assert len(blind.data.foreign) == 0
    for one, other in zip(honest.streams(blind, PAST), honest.streams(toy, PAST), strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)


def test_the_parts_share_no_input(toy: World) -> None:
    """Past, judged clients and thieves draw from disjoint parts."""
    past = _rows(honest.streams(toy, PAST))
    judged = _rows(honest.streams(toy, JUDGED))
    stolen = _rows([attacks.theft(toy, "domain random", 0, 64)])
    assert past.isdisjoint(judged)
    assert past.isdisjoint(stolen)
    assert judged.isdisjoint(stolen)


def test_judged_clients_do_not_depend_on_the_past(toy: World) -> None:
    """Another past, larger or never drawn, leaves them and the thieves bit for bit as they were."""
    first = honest.streams(toy, JUDGED), attacks.theft(toy, "bisection", 0, 64)
    honest.streams(toy, replace(PAST, each=9))
    emptied = replace(toy, data=replace(toy.data, past=blindfolded(toy).data.honest))
    again = honest.streams(emptied, JUDGED), attacks.theft(emptied, "bisection", 0, 64)
    for one, other in zip([*first[0], first[1]], [*again[0], again[1]], strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
