"""The one place where the console takes from a report.

A report is a whole page that needs no other file. The console has a page of its own and allows no style within one, so
it takes what the report has in its <main>, below its heading, and serves what it has in its <style> as a file.
"""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from markupsafe import Markup
from sqlalchemy import Engine

from consumers.report import page
from consumers.store import cases, policies
from consumers.templates.words import name
from detector.policy import Policy


def of_client(engine: Engine, client: str) -> Markup:
    """Return what a client's report says. Raises Missing for one that was never seen."""
    case = cases.case(engine, client)
    shown = name(client)
    lines = [replace(line, client=shown) for line in case.shown.lines]
    case = replace(case, shown=replace(case.shown, lines=lines))
    whole = page.client(shown, case, _policy(engine), datetime.now(UTC))
    return Markup(_within(whole, "main").partition("</h1>")[2])  # noqa: S704  # its templates escape


@cache
def style() -> str:
    """Return the report's style sheet, which has the palette, too."""
    now = datetime.now(UTC)
    return _within(page.overview([], now, now), "style")


def _policy(engine: Engine) -> Policy:
    """Return the policy that is wanted, or the built-in one: scores are reckoned by it."""
    version = policies.wanted(engine)
    return Policy() if version is None else policies.get(engine, version)


def _within(html: str, tag: str) -> str:
    return html.partition(f"<{tag}>")[2].rpartition(f"</{tag}>")[0]
