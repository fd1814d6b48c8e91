"""E-processes: the guarantee by simulation, and the arithmetic against plain numpy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.evidence import ALTERNATIVES, advance, log_mean, log_weight, thresholds


def _plain(hits: list[int], trials: int, p0: float) -> float:
    """Return the log of the mixture by its definition, one alternative after the other."""
    sums = []
    for a in ALTERNATIVES:
        q, total = p0 + (1 - p0) * a, 0.0
        for window, k in enumerate(hits, start=1):
            likelihood = (q / p0) ** k * ((1 - q) / (1 - p0)) ** (trials - k)
            total = (total + math.exp(log_weight(window))) * likelihood
        sums.append(total)
    return math.log(np.mean(sums))


@settings(deadline=None)  # the first call compiles the kernel
@given(st.lists(st.integers(0, 16), min_size=1, max_size=12), st.floats(0.01, 0.9))
def test_process_equals_its_definition(hits: list[int], p0: float) -> None:
    """The kernel in logs agrees with the mixture of likelihood ratios written out."""
    process = np.full(3, -np.inf)
    for window, k in enumerate(hits, start=1):
        advance(process, k, 16, p0, window)

    assert log_mean(process) == pytest.approx(_plain(hits, 16, p0), rel=1e-9, abs=1e-9)


def test_start_weights_sum_to_at_most_one() -> None:
    """All windows in which an attack may begin share one unit of belief."""
    total = sum(math.exp(log_weight(window)) for window in range(1, 200_000))

    assert 0.9 < total <= 1.0


def test_a_client_at_the_ceiling_rarely_passes_a_bound() -> None:
    """Ville's inequality by simulation: 4,000 lives of 200 windows at p0 pass exp(-5) about as seldom as promised."""
    random = np.random.default_rng(7)
    bound, passed = 5.0, 0
    for hits in random.binomial(16, 0.2, (4_000, 200)):
        process, top = np.full(3, -np.inf), -np.inf
        for window, k in enumerate(hits, start=1):
            advance(process, k, 16, 0.2, window)
            top = max(top, log_mean(process))
        passed += top >= bound

    assert passed / 4_000 <= math.exp(-bound) + 3 * math.sqrt(math.exp(-bound) / 4_000)


def test_budgets_of_all_episodes_sum_to_alpha() -> None:
    """Pairs and strong mechanisms of all episodes together spend at most alpha."""
    kinds, spent = 9, 0.0
    for episode in range(1, 60):
        bounds = thresholds(0.001, episode, kinds)
        spent += (kinds - 1) * math.exp(-bounds.pair) + 4 * math.exp(-bounds.strong)

    assert spent == pytest.approx(0.001, rel=1e-6)
