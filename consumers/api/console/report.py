"""The one place where the console takes from a report: what it says below its heading, and its style sheet."""

from dataclasses import replace
from datetime import UTC, datetime

from markupsafe import Markup
from sqlalchemy import Engine

from consumers.report import page
from consumers.store import cases
from consumers.templates.words import name


def of_client(engine: Engine, client: str) -> Markup:
    """Return what a client's report says. Raises Missing for one that was never seen."""
    case = cases.case(engine, client)
    shown = name(client)
    lines = [replace(line, client=shown) for line in case.shown.lines]
    case = replace(case, shown=replace(case.shown, lines=lines))
    return Markup(page.part(case, datetime.now(UTC)))  # noqa: S704  # its templates escape
