"""The benchmark of starts: what it times, and what it finds loaded."""

import pytest

from benchmarks.start import LINES, started


def test_it_tells_what_a_line_loads() -> None:
    """A line that needs a heavy package is told by the package's name, and time passes."""
    seconds, heavy = started("import numba")

    assert heavy == "numba"
    assert seconds > 0


@pytest.mark.parametrize("what", ["import detector", "import gateway.app"])
def test_who_need_not_compile_loads_nothing_heavy(what: str) -> None:
    """The gateway starts without numba, river, scikit-learn and SQLAlchemy."""
    _, heavy = started(LINES[what])

    assert not heavy
