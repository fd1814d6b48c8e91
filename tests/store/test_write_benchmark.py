"""The benchmark of writing, tiny."""

from benchmarks import write


def test_a_tiny_run(empty_database: str) -> None:
    """Both kinds of rows are written and timed."""
    found = write.measure(empty_database, rows=20, rounds=2, size=100)

    assert [(row["what"], row["rows"]) for row in found["rows"]] == [("verdicts", 40), ("snapshots", 40)]
    assert all(row["rows a second"] > 0 for row in found["rows"])
