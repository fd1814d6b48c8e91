"""The benchmark of latency, tiny: the whole road, at one load."""

from pathlib import Path

import pytest

from benchmarks import latency
from detector.population import Population


@pytest.mark.slow  # half a minute: the whole road as processes, which other tests start too
def test_a_tiny_run(plane: Population, tmp_path: Path) -> None:
    """Decisions come, and their percentiles are in order."""
    [row] = latency.measure(tmp_path, plane, [0.5], seconds=2.0, most=200.0)["rows"]

    assert row["decisions"] > 0
    assert 0 < int(row["p50"]) <= int(row["p99"]) <= int(row["max"])
