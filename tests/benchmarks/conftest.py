"""The quick study, run once for all tests that read it."""

import pytest

from benchmarks.arena.records import Record
from tests.benchmarks import golden


@pytest.fixture(scope="session")
def quick() -> tuple[dict[str, object], list[Record]]:
    """Return the quick study's result and records."""
    return golden.studied()
