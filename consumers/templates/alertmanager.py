"""Alerts for Prometheus' Alertmanager, API v2.

Labels name an alert, so a severity that rises makes another one: the lower ones end when the higher begins.
"""

from datetime import datetime, timedelta
from typing import Any

from consumers.alert import BREAKER, Alert, Case, Change, Severity
from consumers.templates.words import NAME, clean, name, seconds, words

TESTED = timedelta(minutes=5)  # of a test
LONGEST = timedelta(days=3_650)  # of what holds for good
HELD = timedelta(days=7)  # without a word of its end; we send that, but Alertmanager must not fire for ever


def render(alert: Alert) -> list[dict[str, Any]]:
    """Return the alerts to post: the present one, and the end of those of lower severity."""
    case = alert.data
    levels = list(Severity)
    now = max(alert.timestamp, case.since)
    ends = now if case.change is Change.RESOLVED else _held(now, case)
    below = [_one(alert, level, now) for level in levels[: levels.index(case.severity)]]
    return [*below, _one(alert, case.severity, ends)]


def _held(now: datetime, case: Case) -> datetime:
    """Return until when an alert fires that nobody ends."""
    if case.test:
        return now + TESTED
    return max(now, min(case.until or now, now + LONGEST)) + HELD


def _one(alert: Alert, severity: Severity, ends: datetime) -> dict[str, Any]:
    said, case = words(alert), alert.data
    labels = {
        "alertname": _alertname(alert),
        "severity": severity,
        "client": name(case.client),
        "model": name(case.model),
        "tenant": clean(case.tenant or "", NAME),
        "episode": case.episode,
    }
    texts = {label.lower().replace(" ", "_"): text for label, text in said.facts}
    urls = {label.lower().replace(" ", "_"): url for label, url in said.links}
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": said.title, **texts, **{f"{label}_url": url for label, url in urls.items()}},
        "startsAt": seconds(case.since),
        "endsAt": seconds(ends),
        "generatorURL": urls.get("report", urls["atlas"]),
    }


def _alertname(alert: Alert) -> str:
    if alert.type.startswith(BREAKER):
        return "CircuitBreakerOpen"
    return "ModelExtractionTest" if alert.data.test else "ModelExtraction"
