r"""ArcSight's Common Event Format, as SIEMs read it from syslog.

In the header `|` and `\` are escaped, in the extension `=` and `\`; there are no line breaks to escape.
"""

from datetime import datetime

from consumers.alert import Alert, Case, Change, Severity
from consumers.templates.words import NAME, SENTENCE, clean, name, words

_SEVERITIES = {Severity.INFO: 4, Severity.WARNING: 7, Severity.CRITICAL: 10}


def render(alert: Alert) -> str:
    """Return the event, in one line."""
    said, case = words(alert), alert.data
    header = ["CEF:0", "Gamekeeper", "Gamekeeper", "1", alert.type, said.title, str(_SEVERITIES[case.severity])]
    facts = dict(said.facts)
    links = dict(said.links)
    extension = {
        **_names(case),
        "start": _ms(case.since),
        "end": _ms(alert.timestamp) if case.change is Change.RESOLVED else "",
        "rt": _ms(alert.timestamp),
        "act": facts["Done"],
        "reason": clean(case.reason, SENTENCE),
        "msg": clean(case.plain, SENTENCE),
        "outcome": case.change,
        **_custom(1, "howSure", facts.get("How sure", "")),
        **_custom(2, "learntSoFar", facts.get("Learnt so far", "")),
        **_custom(3, "technique", case.atlas),
        **_custom(4, "api", links.get("API", "")),
        "request": links.get("Report", ""),
    }
    told = " ".join(f"{name}={_value(value)}" for name, value in extension.items() if value)
    return "|".join([*map(_header, header), told])


def _names(case: Case) -> dict[str, str]:
    return {
        "externalId": case.episode,
        "suser": name(case.client),
        "destinationServiceName": name(case.model),
        **_custom(5, "tenant", clean(case.tenant or "", NAME)),
    }


def _custom(number: int, label: str, value: str) -> dict[str, str]:
    """Return one of CEF's custom strings; one without a value is left out with its label."""
    return {f"cs{number}Label": label if value else "", f"cs{number}": value}


def _header(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace("=", "\\=")


def _ms(time: datetime) -> str:
    return str(int(time.timestamp() * 1000))
