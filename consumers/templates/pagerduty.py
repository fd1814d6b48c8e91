"""An event of PagerDuty's Events API v2, without the routing key: the episode triggers, and resolves, one incident."""

from typing import Any

from consumers.alert import Alert, Change
from consumers.templates.words import NAME, clean, name, words

_SUMMARY = 1024  # characters


def render(alert: Alert) -> dict[str, Any]:
    """Return the event."""
    said, case = words(alert), alert.data
    return {
        "event_action": "resolve" if case.change is Change.RESOLVED else "trigger",
        "dedup_key": case.episode,
        "client": "Gamekeeper",
        "payload": {
            "summary": said.title[:_SUMMARY],
            "source": "gamekeeper",
            "severity": case.severity,
            "timestamp": alert.timestamp,
            "component": name(case.model),
            "group": clean(case.tenant or "", NAME),
            "class": "model extraction",
            "custom_details": dict(said.facts),
        },
        "links": [{"href": url, "text": label} for label, url in said.links],
    }
