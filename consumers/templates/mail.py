"""An e-mail in plain text: no markup, nothing to click but our own links."""

from dataclasses import dataclass

from consumers.alert import Alert
from consumers.templates.words import words


@dataclass(frozen=True, slots=True)
class Mail:
    """What an e-mail says, before it has a sender."""

    subject: str
    body: str


def render(alert: Alert) -> Mail:
    """Return the e-mail."""
    said = words(alert)
    wide = max(len(label) for label, _ in said.facts)
    facts = "\n".join(f"{label + ':':<{wide + 2}}{text}" for label, text in said.facts)
    links = "\n".join(f"{label + ':':<{wide + 2}}{url}" for label, url in said.links)
    return Mail(f"[Gamekeeper] {said.title}", f"{said.title}\n\n{facts}\n\n{links}\n")
