"""Alerts: which change is told, and that each is told once."""

import pytest

from consumers.store.alerts import due
from detector.standing import Cause, Standing


@pytest.mark.parametrize(
    ("alerted", "standing", "cause", "told"),
    [
        (None, Standing.WATCHED, Cause.EVIDENCE, None),
        (None, Standing.WATCHED, Cause.BUDGET, "budget"),
        ("resolved", Standing.WATCHED, Cause.BUDGET, "budget"),
        ("budget", Standing.WATCHED, Cause.BUDGET, None),
        ("budget", Standing.SUSPECTED, Cause.EVIDENCE, "suspected"),
        ("budget", Standing.CLEAR, Cause.LIFT, "resolved"),
        ("suspected", Standing.CLEAR, Cause.EXPIRY, "resolved"),
        ("confirmed", Standing.SUSPECTED, Cause.EVIDENCE, None),
    ],
)
def test_each_change_is_told_once(alerted: str | None, standing: Standing, cause: Cause, told: str | None) -> None:
    """A used up budget is told like a suspicion; mere watching is not."""
    assert due(alerted, standing, cause) == told
