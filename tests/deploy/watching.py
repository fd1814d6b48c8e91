"""What deploy/prometheus and deploy/grafana hold: rules, panels, and what these ask."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from tests.consumers.road import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"


def rules() -> dict[str, str]:
    """Return each alert's expression, by its name."""
    [group] = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


def panels() -> Iterator[dict[str, Any]]:
    """Yield the panels of all dashboards."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        yield from json.loads(file.read_text(encoding="utf-8"))["panels"]


def asked(member: str) -> list[tuple[str, str]]:
    """Return what panels ask (`expr`: Prometheus, `rawSql`: Postgres), with the panel's title."""
    return [(panel["title"], one[member]) for panel in panels() for one in panel["targets"] if member in one]
