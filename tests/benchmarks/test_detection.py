"""The detector in the arena: no honest client is blocked, no attack lasts half as long again as it did.

Golden figures: `tests/benchmarks/golden`.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.arena import honest, plots, report
from benchmarks.arena.attacks import ADAPTIVE, ATTACKS
from benchmarks.arena.records import OURS, Record
from tests.benchmarks import golden

GROWTH = 1.5  # a median that grew by half is a regression

Quick = tuple[dict[str, Any], list[Record]]
pytestmark = pytest.mark.timeout(600)  # training, learning and compiling: a slow machine's share of the two minutes


def test_no_honest_client_is_blocked(quick: Quick) -> None:
    """Neither of a kind that the population has seen nor of one that it has not, however long it lives."""
    honest_ones = [record for record in quick[1] if record.group != "attack" and record.judge == OURS]
    assert len(honest_ones) > 100
    blocked = {f"{record.client}: {record.because}" for record in honest_ones if record.blocked is not None}
    assert blocked == set()


@pytest.mark.parametrize("what", ["suspected", "blocked"])
def test_no_attack_lasts_longer(quick: Quick, what: str) -> None:
    """Every golden median still holds, to a half."""
    found = golden.figures(quick[1])[what]
    slower = {
        attack: (queries, found.get(attack))
        for attack, queries in golden.held()[what].items()
        if found.get(attack, float("inf")) > GROWTH * queries
    }
    assert slower == {}, f"attack: (golden median of queries until it is {what}, median now; None: one got away)"


def test_every_kind_and_attack_has_its_row(quick: Quick) -> None:
    """JSON holds one row a setting and kind, one a setting, attack and variant, and each client."""
    result, records = quick
    assert [row["kind"] for row in result["honest"]] == [*honest.BOTH, *honest.IMAGES]
    assert set(result["honest"][0]) == {"setting", "kind", "seen", "clients", "suspected", "blocked"}
    pure = [row["attack"] for row in result["attacks"] if row["variant"] == "pure"]
    assert pure == list(ATTACKS)
    assert [row["attack"] for row in result["attacks"] if row["variant"] == "adaptive"] == list(ADAPTIVE)
    assert len(result["raw"]) == len(records)
    json.dumps(result)


def test_copies_are_worth_less_at_the_block(quick: Quick) -> None:
    """A block in time is the point of it all."""
    rows = {row["attack"]: row for row in quick[0]["attacks"] if row["variant"] == "pure"}
    assert rows["bisection"]["agreement_at_block"] < rows["bisection"]["agreement_undefended"] - 0.2


def test_people_get_tables_and_plots(quick: Quick, tmp_path: Path) -> None:
    """Both are made from the same rows."""
    result, records = quick
    console = Console(width=140, record=True, quiet=True)
    console.print(*report.tables(result))
    assert all(path.stat().st_size > 10_000 for path in plots.draw(records, result, tmp_path))
