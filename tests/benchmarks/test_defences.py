"""Defences, in a tiny form: what must hold whatever the figures are."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmarks import defences
from benchmarks.defended import prepared, report, study
from benchmarks.defended.catalogue import DEFENCES, FLOOR, INDEPENDENT, UNDEFENDED
from benchmarks.defended.copies import workshop
from benchmarks.defended.cost import calibration_error
from benchmarks.defended.tricks import TRICKS
from tests.benchmarks.toy import world

SIZES = study.Sizes(
    budgets=(150,),
    attacks=("knockoff",),
    defences=(UNDEFENDED, FLOOR, "gaussian noise", INDEPENDENT, "labels, 5 % marked"),
    patience=0.5,
    tried=(),
)


@pytest.fixture(scope="module", name="found")
def _found() -> dict[str, Any]:
    """Return what is found on digits with a linear victim."""
    toy = replace(world(), data=prepared.load("digits", 0))
    rows = list(study.studied(study.Scene(toy, [toy.victim], workshop(toy.data, 0, SIZES.patience), SIZES)))
    return defences.result("digits", rows, SIZES)


def _agreement(found: dict[str, Any], defence: str, trick: str = "") -> float:
    value = report.mean(found["taken"], "agreement", defence=defence, trick=trick)
    assert value is not None
    return value


def test_labels_teach_less_than_probabilities(found: dict[str, Any]) -> None:
    """The floor lies below what an undefended model gives away, well above chance."""
    assert 0.2 < _agreement(found, FLOOR) < _agreement(found, UNDEFENDED)


def test_labels_only_is_the_floor_under_every_defence_that_keeps_the_top(found: dict[str, Any]) -> None:
    """Who forgets the probabilities sees the same, whatever was done to them."""
    for defence in (UNDEFENDED, "gaussian noise", INDEPENDENT):
        assert _agreement(found, defence, "labels only") == _agreement(found, FLOOR)


def test_repeats_gain_nothing_where_noise_is_deterministic(found: dict[str, Any]) -> None:
    """The mean of ten equal answers is the answer; of independent ones it is another."""
    assert _agreement(found, "gaussian noise", "the mean of 10 repeats") == _agreement(found, "gaussian noise")
    assert _agreement(found, INDEPENDENT, "the mean of 10 repeats") != _agreement(found, INDEPENDENT)


def test_only_marks_flip_what_honest_clients_get(found: dict[str, Any]) -> None:
    """Output steps keep the top class; marks change about their share."""
    flips = {row["defence"]: row["flips"] for row in found["costs"]}
    assert [flips[name] for name in SIZES.defences[:-1]] == [0.0] * 4
    assert flips["labels, 5 % marked"] == pytest.approx(0.05, abs=0.03)


def test_people_get_tables_and_a_plot(found: dict[str, Any], tmp_path: Path) -> None:
    """Every defence has its line in each; tables are markdown."""
    from benchmarks.defended import plots  # noqa: PLC0415  # matplotlib is slow to load

    written = io.StringIO()
    Console(file=written, width=200).print(*report.tables(found))
    text = written.getvalue()
    assert all(f"| {name}" in text for name in SIZES.defences)
    assert plots.draw(found, tmp_path).stat().st_size > 10_000


def test_every_trick_is_against_defences_that_exist() -> None:
    """A name that is spelt wrong would leave a trick out silently."""
    assert all(trick.against and trick.against <= set(DEFENCES) for trick in TRICKS.values())


def test_calibration_error_is_the_gap_of_confidence_and_truth() -> None:
    """Two answers at 0.9, one of them right, are 0.4 too sure."""
    answers = np.array([[0.9, 0.1], [0.9, 0.1]], np.float32)
    assert calibration_error(answers, np.array([0, 1])) == pytest.approx(0.4, abs=1e-6)
