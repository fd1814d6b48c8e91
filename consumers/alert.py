"""An alert: what people are told of an episode. This is its wire form, which webhooks get and every template reads."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from detector.standing import Standing

ATLAS = "AML.T0024.002"  # MITRE ATLAS: Extract AI Model
BREAKER = "breaker."  # how the types of its alerts begin
TEST = "gamekeeper-test"  # the client, model and episode of a test alert
_ATLAS_PAGES = "https://atlas.mitre.org/techniques/"


class Change(StrEnum):
    """What an alert does to its episode: an episode is one case, opened and resolved once."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How urgent an episode is, by the highest that it reached."""

    INFO = "info"  # its budget of leakage is used up
    WARNING = "warning"  # suspected
    CRITICAL = "critical"  # confirmed


class Links(msgspec.Struct, frozen=True):
    """Where there is more."""

    report: str  # for people
    api: str  # for programs
    proposal: str = ""  # where a person approves the block that waits


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the episode. No raw input, no secret."""

    client: str
    model: str
    tenant: str | None = None
    standing: Standing
    highest: Standing
    change: Change = Change.OPENED  # this and the next: an alert that is still owed by an older version has neither
    severity: Severity = Severity.WARNING
    since: datetime
    score: float  # 0..1
    leakage: float | None = None  # 0..1; None: not enough known
    plain: str = ""  # the evidence in a sentence for everybody
    reason: str  # the same with its numbers, or why it ended
    evidence: tuple[str, ...] = ()
    action: str  # in force now
    until: datetime | None = None
    shadow: bool = False  # true: that action is not enforced
    proposal: str | None = None  # a block waits for a person's word: what the proposal is called by
    episode: str
    atlas: str = ATLAS
    test: bool = False
    links: Links | None = None


class Alert(msgspec.Struct, frozen=True):
    """An alert as Standard Webhooks has it. Those of the circuit breaker are about a model: their client is *."""

    type: str  # extraction.budget, .suspected, .confirmed or .resolved; breaker.opened or .closed
    timestamp: datetime
    data: Case


def encode(alert: Alert) -> bytes:
    """Return the alert's wire form."""
    return msgspec.json.encode(alert)


def decode(body: bytes) -> Alert:
    """Return the alert that `encode` wrote. Raises msgspec.ValidationError."""
    return msgspec.json.decode(body, type=Alert)


def linked(alert: Alert, base: str, pass_to: Callable[[str], str] = lambda _: "") -> Alert:
    """Return the alert with links below `base`, the address of our API; without one there are none.

    `pass_to` returns the token with which a person may approve a proposal; empty: there is no such link.
    """
    if not base:
        return alert
    root, case = base.rstrip("/"), alert.data
    links = Links(f"{root}/episodes/{case.episode}", f"{root}/api/v1/episodes/{case.episode}", "")
    if alert.type.startswith(BREAKER):
        links = Links(f"{root}/api/v1/breakers", f"{root}/api/v1/breakers", "")
    token = pass_to(case.proposal) if case.proposal else ""
    if token:
        links = msgspec.structs.replace(links, proposal=f"{root}/proposals/{token}")
    return msgspec.structs.replace(alert, data=msgspec.structs.replace(case, links=links))


def technique_page(alert: Alert) -> str:
    """Return where MITRE explains the technique."""
    return _ATLAS_PAGES + alert.data.atlas


def facts(case: Case) -> Mapping[str, str]:
    """Return what filters look at."""
    return {
        "severity": case.severity,
        "standing": case.highest,
        "model": case.model,
        "tenant": case.tenant or "",
    }


def severity(highest: Standing) -> Severity:
    """Return how urgent an episode is that reached `highest`."""
    if highest is Standing.CONFIRMED:
        return Severity.CRITICAL
    return Severity.WARNING if highest is Standing.SUSPECTED else Severity.INFO


def trial(now: datetime) -> Alert:
    """Return an alert that says it is a test."""
    return Alert(
        "extraction.suspected",
        now,
        Case(
            client=TEST,
            model=TEST,
            episode=TEST,
            since=now,
            test=True,
            standing=Standing.SUSPECTED,
            highest=Standing.SUSPECTED,
            change=Change.OPENED,
            severity=Severity.INFO,
            score=0.0,
            plain="Somebody tries out this channel.",
            reason="nothing happened: this is a test",
            action="allow",
        ),
    )
