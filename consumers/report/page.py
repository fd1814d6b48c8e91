"""The pages: one client's report, and the overview. Pure: rows in, HTML out; templates escape what they are given."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from consumers.report.inputs import Inputs
from consumers.report.lead import STANDS
from consumers.report.portrait import portrait
from consumers.report.words import moment, odds
from consumers.store.cases import Case
from consumers.store.reads import ClientLine
from detector.signals import SIGNALS
from detector.times import format_time

_PLAIN = {signal.name: signal.plain for signal in SIGNALS}


def client(name: str, case: Case, now: datetime, inputs: Inputs | None = None) -> str:
    """Return a client's report as of `now`; `inputs` are those of named queries, None where no records were asked."""
    return _render("client.html", name=name, now=now, **_told(case, now, inputs))


def part(case: Case, now: datetime) -> str:
    """Return what a report says below its heading, for a page that has the heading and `style` itself."""
    return _render("case.html", **_told(case, now, None))


def style() -> str:
    """Return the reports' style sheet."""
    return _render("style.css")


def overview(lines: list[ClientLine], since: datetime, now: datetime) -> str:
    """Return the overview of the clients with a query since a time, the most suspicious first."""
    return _render("overview.html", lines=lines, since=since, now=now)


def _told(case: Case, now: datetime, inputs: Inputs | None) -> dict[str, Any]:
    models = [portrait(line, case, inputs, now) for line in case.shown.lines]
    return {"models": models, "looked": _looked(models, inputs), **_done(case)}


def _looked(models: Sequence[dict[str, Any]], inputs: Inputs | None) -> str:
    """Return what became of the named queries' inputs, and what to do to see them."""
    sought = {key: time for model in models for key, time in model["named"].items()}
    if not sought:
        return "No query is named here, so there are no inputs to show."
    if inputs is not None and len(inputs) == len(sought):
        return f"The inputs of all {len(sought)} queries named here were found in the records given."
    if inputs is not None:
        return (
            f"Of {len(sought)} queries named here, {len(inputs)} were found with their inputs in the records given;"
            " the others are not in them, or hold no input."
        )
    start = format_time(min(sought.values()) // 1_000_000 * 1_000_000)
    return (
        "Gamekeeper keeps no inputs. Where the log of predictions still holds them, this report shows them:"
        f" gamekeeper report CLIENT --html FILE --records 'kafka://predictions?from={start}'"
    )


def _done(case: Case) -> dict[str, Any]:
    """Return rows of cells: decisions, what people did and what they said."""
    decided = case.shown.decisions
    return {
        "decisions": [(one.serial, _action(one), one.model, one.origin, one.reason) for one in decided],
        "acts": [(moment(one.at), one.who, one.what, one.why) for one in case.shown.acts],
        "said": [(moment(one.said), one.who, one.what, one.model, one.why) for one in case.feedback],
    }


def _action(decision: Any) -> str:
    shadow = ", shadow: not enforced" if decision.shadow else ""
    return f"{decision.action} until {moment(decision.until)}{shadow}"


def _render(template: str, **given: Any) -> str:
    loader = PackageLoader("consumers.report", "pages")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters |= {"odds": odds, "time": moment}
    pages.globals |= {"plain": _PLAIN, "stands": STANDS}
    return pages.get_template(template).render(given)
