"""Alerts for the tests of templates, and the golden files: `python -m tests.templates.make` writes them anew."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from consumers.alert import Alert, Case, Change, Severity, linked
from consumers.store.breaker import PLAIN, Count
from consumers.templates import TEMPLATES, crowdsec
from consumers.templates.mail import Mail
from detector.decision import ANY_MODEL, Action, Decision, Key, Origin, Scope
from detector.policy import Breaker
from detector.standing import Standing

DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"
GOLDEN = Path(__file__).parent / "golden"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOON_US = 1_795_521_600_000_000
BASE = "https://gamekeeper.example"
PROPOSAL = "5b1f6c2d-52c3-5a57-8f1d-0b7ac1de3f10"
EPISODE = "0b7ac1de-52c3-5a57-8f1d-6e1f5b6f3c10"


def alert(kind: str = "confirmed", **other: Any) -> Alert:
    """Return an alert with links, as a channel has it."""
    facts: dict[str, Any] = {
        "client": "key_7f3a",
        "model": "digits",
        "tenant": "acme",
        "standing": Standing.CONFIRMED,
        "highest": Standing.CONFIRMED,
        "change": Change.UPDATED,
        "severity": Severity.CRITICAL,
        "since": NOON - timedelta(minutes=4),
        "score": 0.97,
        "leakage": 0.13,
        "plain": "It searches step by step for the exact point at which the model changes its mind.",
        "reason": "boundary probing: 31 label flips in 64 near pairs (ordinary clients: at most 2.0%)",
        "evidence": ("31 of 64 queries lie halfway between two others",),
        "action": "block",
        "until": NOON + timedelta(hours=4),
        "episode": EPISODE,
    }
    return linked(Alert(f"extraction.{kind}", NOON, Case(**(facts | other))), BASE, lambda _: "TOKEN")


def breaker() -> Alert:
    """Return the alert of a circuit breaker that has opened."""
    case = Case(
        client=ANY_MODEL,
        model="digits",
        standing=Standing.CONFIRMED,
        highest=Standing.CONFIRMED,
        severity=Severity.CRITICAL,
        since=NOON - timedelta(minutes=4),
        score=1.0,
        plain=PLAIN,
        reason=Count(7, 210, 0.04).sentence(Breaker()),
        action="allow",
        episode=EPISODE,
    )
    return linked(Alert("breaker.opened", NOON, case), BASE)


CASES = {
    "confirmed": alert(),
    "resolved": alert(
        "resolved",
        standing=Standing.CLEAR,
        change=Change.RESOLVED,
        reason="its time is over",
        evidence=(),
        action="allow",
        until=None,
    ),
    "shadow": alert(shadow=True, tenant=None, leakage=None),
    "proposed": alert(action="throttle", proposal=PROPOSAL),
    "breaker": breaker(),
}


def decision(**other: Any) -> Decision:
    """Return a decision in force at NOON."""
    facts: dict[str, Any] = {
        "id": 412,
        "serial": 7,
        "key": Key(Scope.CLIENT, "key_7f3a", "digits"),
        "action": Action.BLOCK,
        "until": NOON_US + 4 * 3_600_000_000,
        "origin": Origin.DETECTOR,
        "reason": "boundary probing: 31 label flips in 64 near pairs",
    }
    return Decision(**(facts | other))


def text(rendered: Any) -> str:
    """Return what a template made, as a golden file holds it."""
    if isinstance(rendered, Mail):
        return f"{rendered.subject}\n\n{rendered.body}"
    if isinstance(rendered, str):
        return rendered + "\n"
    return msgspec.json.format(msgspec.json.encode(rendered), indent=2).decode() + "\n"


def wanted() -> dict[str, str]:
    """Return the golden files by name."""
    files = {f"{name}-{case}.txt": text(TEMPLATES[name](said)) for name in TEMPLATES for case, said in CASES.items()}
    return files | {"crowdsec.txt": text(crowdsec.render(decision(), NOON_US))}


def examples() -> str:
    """Return the last part of docs/alerts.md."""
    files = wanted()
    shown = {name: files[f"{name}-confirmed.txt"] for name in TEMPLATES} | {"crowdsec": files["crowdsec.txt"]}
    return "\n".join(
        f"<details><summary><code>{name}</code></summary>\n\n```\n{content}```\n\n</details>\n"
        for name, content in shown.items()
    )


if __name__ == "__main__":
    for name, content in wanted().items():
        (GOLDEN / name).write_text(content, encoding="utf-8")
    before, _, _ = DOCS.read_text(encoding="utf-8").partition("<details>")
    DOCS.write_text(before + examples(), encoding="utf-8")
