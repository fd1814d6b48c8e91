"""The benchmark of scaling, tiny."""

import itertools

import pytest

from benchmarks import scaling, soak, traffic


@pytest.mark.slow  # servers of its own, and two processes that start
def test_a_tiny_run() -> None:
    """Two processes share a stream beside a busy one, and each has used some time."""
    stream = list(itertools.islice(soak.asked(), 2_000))

    assert scaling.measured(traffic.population(), (2, 1), stream) > 0
