"""Rules and dashboards ask only for what there is: metrics that are exported, views that an analyst may read."""

import re

import pytest
from sqlalchemy import text

from consumers import metrics
from consumers.health import Health
from consumers.store.engine import connect
from gateway.metrics import Metrics
from tests.consumers.road import ROOT
from tests.deploy.watching import DASHBOARDS, asked, panels, rules

PARTS = ("bucket", "sum", "count")  # of a histogram
NAME = re.compile(r"gamekeeper_[a-z_]+")
GAUGE = re.compile(r"\.gauge\(\s*\"(\w+)\"")
BETWEEN = r"\1 BETWEEN now() - interval '1 day' AND now()"
ALERTS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## Alerts of Prometheus\n")[2]


def told(what: str) -> dict[str, str]:
    """Return what our processes tell of each metric: its TYPE or its HELP."""
    text = metrics.exposition(Health()) + Metrics().text()
    lines = [line.split(" ", 3) for line in text.decode().splitlines() if line.startswith(f"# {what} gamekeeper")]
    return {name: said for _, _, name, said in lines}


def exported() -> set[str]:
    """Return the names of the series that our processes give. A gateway makes its gauges as it starts."""
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "gateway").glob("*.py"))
    parts = [f"{name}_{part}" for name, kind in told("TYPE").items() if kind == "histogram" for part in PARTS]
    return {*told("TYPE"), *parts, *(f"gamekeeper_gateway_{name}" for name in GAUGE.findall(source))}


def test_every_metric_that_is_asked_for_is_exported() -> None:
    """A rule on a metric that nobody exports would never fire, and nobody would notice."""
    there = exported()
    for where, expression in [*rules().items(), *asked("expr")]:
        assert set(NAME.findall(expression)) <= there, where


def test_every_metric_has_a_help_text() -> None:
    """It says what is counted, as a sentence begins."""
    for name, help_text in told("HELP").items():
        assert re.match(r"[A-Z0-9]", help_text), name


def test_every_panel_asks_sql_that_an_analyst_may_ask(database: str) -> None:
    """On a migrated database each query runs; one over time begins with the column `time`."""
    engine = connect(database)
    for title, query in asked("rawSql"):
        with engine.connect() as connection:
            connection.execute(text("SET LOCAL ROLE gamekeeper_analyst"))
            columns = connection.execute(text(re.sub(r"\$__timeFilter\((\w+)\)", BETWEEN, query))).keys()
        over_time = "$__timeFilter" in query
        assert (next(iter(columns)) == "time") == over_time, title
    engine.dispose()


def test_panels_are_whole() -> None:
    """Each has a title and a meaning, a source that the dashboard lets people choose, and lies beside the others."""
    assert {file.name for file in DASHBOARDS.iterdir()} == {"clients.json", "system.json"}
    for panel in panels():
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["datasource"]["uid"] in {"${prometheus}", "${postgres}"}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize("alert", rules())
def test_the_runbook_knows_every_alert(alert: str) -> None:
    """What each means and what to do is a row of a table."""
    assert f"\n| `{alert}` |" in ALERTS


def test_the_runbook_knows_no_other_alert() -> None:
    """And what is in the table is a rule."""
    assert set(re.findall(r"^\| `(Gamekeeper\w+)` \|", ALERTS, re.MULTILINE)) == rules().keys()
