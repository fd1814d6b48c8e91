"""A population keeps the trees that river grew for it: who judges by it needs no river, and says the same."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from detector.population import Array, BadPopulation, Population, dump, load
from detector.signals import ROW, novelty
from tests.detector import build

JUDGING = """
import sys
from detector.detector import Detector
from detector.policy import Policy
from detector.population import load

Detector(Policy(), load(sys.stdin.buffer.read()))
print("river" in sys.modules)
"""


def kept(**arrays: Array) -> Population:
    """Return a population as `learn` leaves it: window rows, of which one column is unknown, and their trees."""
    seen = np.random.default_rng(1).random((novelty.ROWS_MIN, len(ROW)), np.float32)
    seen[:, 3] = np.nan
    asked, numbers = novelty.learnt(seen)
    known = build.population()
    held = {name: array for name, array in known.arrays.items() if name not in asked}
    return replace(known, arrays={**held, "rows": seen, **asked, **arrays}, numbers={**known.numbers, **numbers})


def older(population: Population) -> Population:
    """Return what releases before this one have learnt."""
    arrays = {name: array for name, array in population.arrays.items() if not name.startswith("odd_")}
    numbers = {name: value for name, value in population.numbers.items() if name not in novelty.QUANTILES}
    return replace(population, arrays=arrays, numbers=numbers)


def test_kept_trees_say_what_grown_ones_do() -> None:
    """To the last bit, thresholds too, and after a way through a file."""
    [population] = load(dump([kept()])).values()
    rows = np.random.default_rng(2).random((40, len(ROW)), np.float32)
    rows[::3, ::2] = np.nan

    assert np.array_equal(novelty.scores(population, rows), novelty.scores(older(population), rows))
    assert len(set(novelty.scores(population, rows).tolist())) > 1
    assert novelty._thresholds(population) == novelty._thresholds(older(population))


@pytest.mark.parametrize(("made", "river"), [(kept, False), (lambda: older(kept()), True)])
def test_only_older_populations_need_river(made: Callable[[], Population], river: bool) -> None:
    """Its import takes two seconds of a start."""
    data = dump([made()])
    found = subprocess.run([sys.executable, "-c", JUDGING], input=data, capture_output=True, check=True)

    assert found.stdout.decode().strip() == str(river)


def test_few_rows_keep_no_trees() -> None:
    """As few say nothing."""
    assert novelty.learnt(np.zeros((novelty.ROWS_MIN - 1, len(ROW)), np.float32)) == ({}, {})


@pytest.mark.parametrize("column", [np.full((25, 255), len(ROW)), np.full((25, 255), -1), np.zeros((25, 254))])
def test_questions_of_no_column_are_refused(column: Array) -> None:
    """A loop would read beyond a row."""
    with pytest.raises(BadPopulation, match="half-space trees"):
        novelty.scores(kept(odd_column=column.astype(np.int16)), np.zeros((1, len(ROW)), np.float32))
