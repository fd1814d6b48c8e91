"""An alert in short plain sentences. Templates lay them out and escape them for their format; none words its own."""

import unicodedata
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime

from consumers.alert import BREAKER, Alert, Case, Change, Severity, technique_page
from detector.decision import Action
from detector.standing import Standing

NAME = 80  # characters of a client's, model's or tenant's name
UNSEEN = "(nothing that can be seen)"  # for a name
SENTENCE = 300  # characters of any other text
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, marks of direction, half characters
_HAPPENED = {
    "extraction.budget": "has asked enough to copy",
    "extraction.suspected": "is suspected of copying",
    "extraction.confirmed": "is copying",
}
_HELD = (
    "nothing new is enforced, in shadow: blocks wait for a person (gamekeeper proposals), who closes the breaker, too"
)
_ENFORCED = "what the detector decides is enforced again"
_WAS = {  # of an episode that is over, by the highest that it reached
    Severity.INFO: "had asked enough to copy",
    Severity.WARNING: "was suspected of copying",
    Severity.CRITICAL: "was copying",
}
SENTENCES = ("Why", "In figures", "Why it ended", "Done")  # labels of what takes a whole line
_DONE = {
    Action.PERTURB: "given coarser answers",
    Action.THROTTLE: "slowed down and given coarser answers",
    Action.BLOCK: "blocked",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What an alert says. No text holds a line break or a control character."""

    title: str
    facts: tuple[tuple[str, str], ...]  # label and text
    links: tuple[tuple[str, str], ...]  # label and URL, ours alone


def words(alert: Alert) -> Words:
    """Return what an alert says, for people."""
    case = alert.data
    known = (_of_breaker if alert.type.startswith(BREAKER) else _of_client)(alert)
    links = [("Report", case.links.report), ("API", case.links.api)] if case.links else []
    if case.links and case.links.proposal:
        links.insert(0, ("Approve", case.links.proposal))
    return Words(
        _title(alert), tuple((label, text) for label, text in known if text), (*links, ("ATLAS", technique_page(alert)))
    )


def _of_client(alert: Alert) -> list[tuple[str, str]]:
    case = alert.data
    over = case.change is Change.RESOLVED
    return [
        ("Client", name(case.client)),
        ("Tenant", clean(case.tenant or "", NAME)),
        ("Model", name(case.model)),
        ("Since", moment(case.since)),
        ("Ended", moment(alert.timestamp) if over else ""),
        ("How sure", _sure(case)),
        ("Why", clean(case.plain, SENTENCE)),
        ("Why it ended" if over else "In figures", clean(case.reason, SENTENCE)),
        ("Learnt so far", _learnt(case)),
        ("Done", _done(case)),
        ("Technique", f"{case.atlas} Extract AI Model (MITRE ATLAS)"),
        ("Episode", clean(case.episode, NAME)),
    ]


def _of_breaker(alert: Alert) -> list[tuple[str, str]]:
    case = alert.data
    closed = case.change is Change.RESOLVED
    return [
        ("Model", name(case.model)),
        ("Since", moment(case.since)),
        ("Ended", moment(alert.timestamp) if closed else ""),
        ("Why", "" if closed else clean(case.plain, SENTENCE)),
        ("In figures", clean(case.reason, SENTENCE)),
        ("Done", _ENFORCED if closed else _HELD),
        ("Episode", clean(case.episode, NAME)),
    ]


def clean(text: str, most: int) -> str:
    """Return `text` in one line of at most `most` characters, without what people cannot see."""
    seen = "".join(" " if unicodedata.category(one) in _UNSEEN else one for one in text[: 2 * most])
    line = " ".join(seen.split())
    return line if len(line) <= most and len(text) <= 2 * most else line[: most - 1] + "…"


def name(text: str) -> str:
    """Return a client's or model's name as people see it."""
    return clean(text, NAME) or UNSEEN


def moment(time: datetime) -> str:
    """Return a time as people read it, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment_wire(time: datetime) -> str:
    """Return a time as RFC 5424 has it, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"


def seconds(time: datetime) -> datetime:
    """Return a time in whole seconds, as tools write it."""
    return time.replace(microsecond=0)


def _title(alert: Alert) -> str:
    case = alert.data
    who, model = name(case.client), name(case.model)
    if alert.type.startswith(BREAKER):
        closed = case.change is Change.RESOLVED
        return f"Resolved: the breaker of {model}" if closed else f"The breaker of {model} is open: too many blocks"
    happened = _HAPPENED.get(alert.type, "concerns")
    if case.change is Change.RESOLVED:
        title = f"Resolved: {who} {_WAS[case.severity]} {model}"
    else:
        title = f"{who} {happened} {model}"
    if case.test:
        return f"TEST, nothing happened: {title}"
    return f"In shadow, nothing is enforced: {title}" if case.shadow else title


def _sure(case: Case) -> str:
    standing = case.highest if case.standing is Standing.CLEAR else case.standing
    return f"{standing}, score {case.score:.2f} of 1"


def _learnt(case: Case) -> str:
    return "not known yet" if case.leakage is None else f"about {case.leakage:.0%} of the model"


def _end(until: datetime) -> str:
    return "until a person ends it" if until.year == MAXYEAR else f"until {moment(until)}"


def _done(case: Case) -> str:
    action = Action.parse(case.action)
    if action is Action.ALLOW:
        return "nothing is in force any more" if case.change is Change.RESOLVED else "nothing, this only tells you"
    until = "" if case.until is None else f" {_end(case.until)}"
    if case.proposal:
        now = "nothing is enforced" if case.shadow else f"it is {_DONE[action]}"
        return f"a block{until} is proposed and waits for a person; until then {now}"
    if case.shadow:
        return f"nothing is enforced, in shadow: it would be {_DONE[action]}{until}"
    return f"it is {_DONE[action]}{until}"
