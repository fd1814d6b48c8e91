"""A Detection Finding (2004) of the Open Cybersecurity Schema Framework: one finding an episode, by its uid."""

from datetime import datetime
from typing import Any

from consumers.alert import Alert, Case, Change, Severity
from consumers.templates.words import SENTENCE, clean, name, words

VERSION = "1.5.0"  # of the schema
_ATLAS = "5.6.0"  # of the matrix
_CLASS = 2004
_ACTIVITIES = {Change.OPENED: (1, "Create"), Change.UPDATED: (2, "Update"), Change.RESOLVED: (3, "Close")}
_STATES = {Change.OPENED: (1, "New"), Change.UPDATED: (2, "In Progress"), Change.RESOLVED: (4, "Resolved")}
_SEVERITIES = {
    Severity.INFO: (2, "Low"),
    Severity.WARNING: (3, "Medium"),
    Severity.CRITICAL: (5, "Critical"),
}


def render(alert: Alert) -> dict[str, Any]:
    """Return the finding."""
    said, case = words(alert), alert.data
    activity, activity_name = _ACTIVITIES[case.change]
    status, status_name = _STATES[case.change]
    severity, severity_name = _SEVERITIES[case.severity]
    return {
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "category_uid": _CLASS // 1000,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": _CLASS * 100 + activity,
        "type_name": f"Detection Finding: {activity_name}",
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "time": _ms(alert.timestamp),
        "confidence_score": round(100 * case.score),
        "message": said.title,
        "metadata": {"version": VERSION, "product": {"name": "Gamekeeper", "vendor_name": "Gamekeeper"}},
        "finding_info": _info(alert),
        "resources": [{"type": "Model", "name": name(case.model), "uid": name(case.model)}],
        "observables": _observables(case),
        "unmapped": dict((*said.facts, *said.links)),
    }


def _info(alert: Alert) -> dict[str, Any]:
    said, case = words(alert), alert.data
    links = dict(said.links)
    return {
        "uid": case.episode,
        "title": said.title,
        "desc": clean(case.plain or case.reason, SENTENCE),
        "types": ["Model extraction"],
        "first_seen_time": _ms(case.since),
        "last_seen_time": _ms(alert.timestamp),
        "src_url": links.get("Report", links["ATLAS"]),
        "analytic": {"uid": "gamekeeper", "name": "Gamekeeper", "type": "Behavioral", "type_id": 2},
        "attacks": [
            {
                "version": _ATLAS,
                "tactic": {"uid": "AML.TA0010", "name": "Exfiltration"},
                "technique": {"uid": case.atlas.rpartition(".")[0], "name": "Exfiltration via AI Inference API"},
                "sub_technique": {"uid": case.atlas, "name": "Extract AI Model"},
            }
        ],
    }


def _observables(case: Case) -> list[dict[str, Any]]:
    """Return who it is about, under type 4 (User Name)."""
    return [{"name": "client", "type": "User Name", "type_id": 4, "value": name(case.client)}]


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
