"""A short chaos: every kind of fault, and everything as a replay has it."""

from pathlib import Path

import pytest

from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.run import Plan, run
from detector.population import Population


@pytest.mark.timeout(600)  # a minute and a half; on a busy machine with cold caches several times that
def test_every_kind_of_fault(tmp_path: Path, plane: Population) -> None:
    """Each fault once within half a minute, and then some calm: nothing is lost, doubled or other than it should be."""
    outcome = run(Plan(seed=1, seconds=34.0, clients=250, every=3.0), plane, tmp_path)
    assert set(outcome.faults) == {fault.__name__ for fault in FAULTS}
    found = outcome.differences
    assert (found.lost, found.doubled, found.differing) == ([], [], [])
