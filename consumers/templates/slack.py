"""Blocks of a Slack incoming webhook. Values are plain text, which knows no markup, mentions or links.

Sentences have the whole width; of label and value in two columns they would have half.
"""

from typing import Any

from consumers.alert import Alert, Change, Severity
from consumers.templates.words import SENTENCES, words

_OVER = "🟢"
_SIGNS = {Severity.INFO: "🔵", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}
_TITLE = 150  # characters of a header
_PAIRS = 5  # label and value in a section, which holds 10 fields


def render(alert: Alert) -> dict[str, Any]:
    """Return the message's body."""
    said = words(alert)
    sign = _OVER if alert.data.change is Change.RESOLVED else _SIGNS[alert.data.severity]
    title = f"{sign} {said.title}"
    sentences = "\n".join(f"{label}: {text}" for label, text in said.facts if label in SENTENCES)
    short = [(label, text) for label, text in said.facts if label not in SENTENCES]
    fields = [field for label, text in short for field in ({"type": "mrkdwn", "text": f"*{label}*"}, _plain(text))]
    sections = [{"type": "section", "fields": fields[at : at + 2 * _PAIRS]} for at in range(0, len(fields), 2 * _PAIRS)]
    links = " · ".join(f"<{url}|{label}>" for label, url in said.links)
    return {
        "text": _escaped(title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": _header(title), "emoji": False}},
            {"type": "section", "text": _plain(sentences)},
            *sections,
            {"type": "context", "elements": [{"type": "mrkdwn", "text": links}]},
        ],
    }


def _header(title: str) -> str:
    """Return as much of the title as fits once it is escaped."""
    whole = _escaped(title)
    cut = (_escaped(title[:length]) + "…" for length in range(_TITLE - 1, -1, -1))
    return whole if len(whole) <= _TITLE else next(text for text in cut if len(text) <= _TITLE)


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": _escaped(text), "emoji": False}


def _escaped(text: str) -> str:
    """Escape what Slack reads as its own in every text: links, mentions, entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
