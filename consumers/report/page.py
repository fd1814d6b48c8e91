"""The pages: one client's report, and the overview. Pure: rows in, HTML out; templates escape what they are given."""

from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from consumers.report.charts.bars import bars
from consumers.report.charts.course import course
from consumers.report.charts.curve import curve
from consumers.report.reckoning import Reckoning, reckon
from consumers.report.words import odds
from consumers.store.cases import Case
from consumers.store.reads import ClientLine, VerdictLine
from detector.policy import Policy


def client(name: str, case: Case, policy: Policy, now: datetime) -> str:
    """Return a client's report; `policy` is the one that scores are reckoned by, `now` the time that it states."""
    models = [_model(line, case, policy) for line in case.shown.lines]
    return _render("client.html", name=name, models=models, now=now, **_done(case))


def overview(lines: list[ClientLine], since: datetime, now: datetime) -> str:
    """Return the overview of the clients with a query since a time, the most suspicious first."""
    return _render("overview.html", lines=lines, since=since, now=now)


def _model(line: ClientLine, case: Case, policy: Policy) -> dict[str, Any]:
    """Return what the template says of one model; verdicts oldest first."""
    verdicts = [verdict for verdict in reversed(case.shown.verdicts) if verdict.model == line.model]
    reckoned = [(one, reckon(one, policy)) for one in verdicts]
    leaked = [(one.queries, one.leakage) for one in verdicts if one.leakage is not None]
    return {
        "line": line,
        "verdicts": [(one, how, _bars(one, how)) for one, how in reckoned],
        "course": course([(one.at, one.standing, one.queries) for one in verdicts], line.at) if verdicts else None,
        "score": curve("Score", [(one.queries, one.score) for one in verdicts], line.queries) if verdicts else None,
        "leakage": curve("Leakage", leaked, line.queries) if leaked else None,
    }


def _done(case: Case) -> dict[str, Any]:
    """Return rows of cells: decisions, what people did and what they said."""
    decided = case.shown.decisions
    return {
        "decisions": [(one.serial, _action(one), one.model, one.origin, one.reason) for one in decided],
        "acts": [(_time(one.at), one.who, one.what, one.why) for one in case.shown.acts],
        "said": [(_time(one.said), one.who, one.what, one.model, one.why) for one in case.feedback],
    }


def _action(decision: Any) -> str:
    shadow = ", shadow: not enforced" if decision.shadow else ""
    return f"{decision.action} until {_time(decision.until)}{shadow}"


def _time(moment: datetime | None) -> str:
    return "no end" if moment is None else f"{moment:%F %T}Z"


def _bars(verdict: VerdictLine, how: Reckoning) -> Markup | None:
    values = [(one.signal, one.value) for one in verdict.evidence if one.value is not None]
    return bars(values, None if how.bounds is None else how.bounds.one) if values else None


def _render(template: str, **given: Any) -> str:
    loader = PackageLoader("consumers.report", "pages")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters |= {"odds": odds, "time": _time}
    return pages.get_template(template).render(given)
