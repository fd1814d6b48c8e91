"""Limits: how long a theft takes under what the default policy lets a client ask. Arithmetic."""

from typing import Any, Final

from gateway.limits.policy import Limit
from gateway.policy import Defences

HOUR, DAY = 3_600, 86_400  # s
_DEFAULT: Final = Defences()
_HELD: Final = {"clear": _DEFAULT.limits.client, "suspected": _DEFAULT.throttle.limit}


def rows(budgets: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return one row a standing: seconds that each budget takes, and queries in an hour and in a day."""
    return [
        {"standing": standing, "rows a second": limit.rate, "at once": limit.burst}
        | {f"s to {budget:,}": seconds(limit, budget) for budget in budgets}
        | {"in an hour": limit.burst + limit.rate * HOUR, "in a day": limit.burst + limit.rate * DAY}
        for standing, limit in _HELD.items()
        if limit is not None
    ]


def seconds(limit: Limit, queries: int) -> float:
    """Return how long so many queries take, in seconds, of a client that has not asked before."""
    return max(0.0, (queries - limit.burst) / limit.rate)
