"""A decision as an alert of CrowdSec's local API, which carries it to every remediation component."""

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.decision import Action, Decision, Scope

SCOPES = {Scope.CLIENT: "client_id", Scope.TENANT: "tenant", Scope.IP: "Ip"}
TYPES = {Action.PERTURB: "perturb", Action.THROTTLE: "throttle", Action.BLOCK: "ban"}
SCENARIO = "gamekeeper/model-extraction"
VALUE_CHARS = 255  # of a value in CrowdSec's tables
LONGEST = timedelta(days=3_650)  # Go's durations end after 292 years, ours do not
_MESSAGE = 300  # characters


def bearable(decision: Decision) -> bool:
    """Tell whether CrowdSec can hold a decision on this value: exactly as it is, or not at all."""
    value = decision.key.value
    return len(value) <= VALUE_CHARS and not any(unicodedata.category(one) in {"Cc", "Cs"} for one in value)


def origin(decision: Decision) -> str:
    """Return what names our decisions on one model: what replaces or lifts one leaves those on other models alone."""
    return f"gamekeeper/{decision.key.model}"


def render(decision: Decision, now: int) -> list[dict[str, Any]]:
    """Return the alerts to post at `now` (µs): none where nothing is to be enforced, as in shadow."""
    if decision.action is Action.ALLOW or not decision.enforced(now):
        return []
    at = datetime.fromtimestamp(now // 1_000_000, UTC)
    left = min((decision.until - now) // 1_000_000, LONGEST // timedelta(seconds=1))
    scope, value = SCOPES[decision.key.scope], decision.key.value
    one = {
        "origin": origin(decision),
        "type": TYPES[decision.action],
        "scope": scope,
        "value": value,
        "duration": f"{max(left, 1)}s",
        "scenario": SCENARIO,
    }
    return [
        {
            "scenario": SCENARIO,
            "scenario_hash": "",
            "scenario_version": "",
            "message": f"{decision.reason[:_MESSAGE]} (model {decision.key.model})",
            "events_count": 1,
            "start_at": at,
            "stop_at": at,
            "capacity": 0,
            "leakspeed": "0",
            "simulated": False,
            "events": [],
            "source": {"scope": scope, "value": value},
            "decisions": [one],
        }
    ]
