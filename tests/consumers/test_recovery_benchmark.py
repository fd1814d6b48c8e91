"""The benchmark of recovery, tiny."""

from benchmarks import recovery
from consumers.store import populations
from consumers.store.engine import connect
from detector.population import Population, dump


def test_a_tiny_run(database: str, plane: Population) -> None:
    """Every size is taken over, and all of its clients are loaded."""
    engine = connect(database)
    populations.put(engine, dump([plane]), "test")
    rows = recovery.measure(engine, plane, [2, 5])
    engine.dispose()

    assert [(row["what"], row["clients"]) for row in rows] == [("fence", 2), ("load", 2), ("fence", 5), ("load", 5)]
    assert all(row["seconds"] > 0 for row in rows)
