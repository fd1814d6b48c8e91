"""An adaptive card for a Microsoft Teams workflow. Text runs know no Markdown, so names cannot format or link."""

from typing import Any

from consumers.alert import Alert, Change, Severity
from consumers.templates.words import words

_COLOURS = {Severity.INFO: "accent", Severity.WARNING: "warning", Severity.CRITICAL: "attention"}


def render(alert: Alert) -> dict[str, Any]:
    """Return the message's body."""
    said = words(alert)
    colour = "good" if alert.data.change is Change.RESOLVED else _COLOURS[alert.data.severity]
    title = _run(said.title, weight="bolder", size="large", color=colour)
    lines = [
        {"type": "RichTextBlock", "spacing": "small", "inlines": [_run(f"{label}: ", weight="bolder"), _run(text)]}
        for label, text in said.facts
    ]
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [{"type": "RichTextBlock", "inlines": [title]}, *lines],
        "actions": [{"type": "Action.OpenUrl", "title": label, "url": url} for label, url in said.links],
    }
    return {
        "type": "message",
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        ],
    }


def _run(text: str, **style: str) -> dict[str, str]:
    return {"type": "TextRun", "text": text, **style}
