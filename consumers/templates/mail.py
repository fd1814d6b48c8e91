"""An e-mail in plain text: no markup, nothing to click but our own links."""

from dataclasses import dataclass
from textwrap import fill

from consumers.alert import Alert
from consumers.templates.words import words

_COLUMNS = 78  # of a line, as RFC 5322 advises


@dataclass(frozen=True, slots=True)
class Mail:
    """What an e-mail says, before it has a sender."""

    subject: str
    body: str


def render(alert: Alert) -> Mail:
    """Return the e-mail."""
    said = words(alert)
    wide = max(len(label) for label, _ in said.facts) + 2
    facts = "\n".join(_wrapped(f"{label + ':':<{wide}}", text) for label, text in said.facts)
    links = "\n".join(f"{label + ':':<{wide}}{url}" for label, url in said.links)
    return Mail(f"[Gamekeeper] {said.title}", f"{said.title}\n\n{facts}\n\n{links}\n")


def _wrapped(label: str, text: str) -> str:
    """Return text in lines that a mail reader does not break again, all of them beside the label."""
    return fill(text, _COLUMNS, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False)
