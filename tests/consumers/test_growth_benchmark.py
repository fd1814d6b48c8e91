"""The benchmark of growth, tiny."""

from dataclasses import replace

from benchmarks import growth
from benchmarks.world import MODEL
from detector.population import Population, dump


def test_a_tiny_run(plane: Population) -> None:
    """Every kind of row is measured."""
    data = dump([replace(plane, model=MODEL)])
    rows = [
        *(growth.clients(data, 20, keys, queries=200) for keys in growth.KEYS),
        *(growth.late(data, asked, following=64) for asked in (40, 100)),
        *(growth.models(data, many, queries=200) for many in (1, 3)),
    ]

    assert len({row["what"] for row in rows}) == len(rows)
    assert all(row["ns a query"] > 0 for row in rows)
    assert all(int(row["µs out"]) > 0 and int(row["µs in"]) > 0 for row in rows[:2])
