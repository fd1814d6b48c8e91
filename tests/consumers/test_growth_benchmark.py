"""The benchmark of growth, tiny."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import growth, growth_plot
from benchmarks.world import MODEL
from detector.population import Population, dump


def test_a_tiny_run(plane: Population) -> None:
    """Every kind of row is measured."""
    data = dump([replace(plane, model=MODEL)])
    rows = [
        *(growth.clients(data, 20, keys, queries=200) for keys in growth.KEYS),
        *(growth.late(data, asked, following=64) for asked in (40, 100)),
        *(growth.models(data, many, queries=200) for many in (1, 3)),
        growth.known(data, 60, 20, queries=200),
    ]

    assert len({row["what"] for row in rows}) == len(rows)
    assert all(row["ns a query"] > 0 for row in rows)
    assert all(int(row["µs out"]) > 0 and int(row["µs in"]) > 0 for row in rows[:2])


def test_the_plot_has_both_curves(plane: Population, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours and PRADA's are measured and drawn."""
    monkeypatch.setattr(growth_plot, "AGES", (100, 200))
    monkeypatch.setattr(growth_plot, "PRADA_AGES", (100, 200))
    data = dump([replace(plane, model=MODEL)])

    drawn = growth_plot.draw(lambda age: growth.lived(data, age), 64, tmp_path / "plots")

    assert drawn.read_bytes().startswith(b"\x89PNG")
