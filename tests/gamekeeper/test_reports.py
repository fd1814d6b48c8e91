"""`gamekeeper report` and `gamekeeper explain`, on a real database."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.store import policies
from consumers.store.engine import connect
from detector.policy import Policy
from detector.standing import Standing
from gamekeeper.cli import app
from tests.gamekeeper.test_cli import run
from tests.store.given import saved, verdict


@pytest.fixture
def environ(database: str) -> dict[str, str]:
    """Return the environment of a command on a database with one thief."""
    engine = connect(database)
    policies.put(engine, Policy())
    saved(engine, verdict(Standing.CONFIRMED, policy=Policy().version), scored=64)
    engine.dispose()
    return {"DATABASE_URL": database, "COLUMNS": "80"}


def test_reports_and_explanations_reach_people(environ: dict[str, str], tmp_path: Path) -> None:
    """Of a client, as an overview, in words and as JSON; without a subject, wrong usage."""
    html = tmp_path / "report.html"

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, env=environ)
        assert result.exit_code == 0, result.output
        return result.stdout

    said("report", "thief", "--html", str(html))
    assert "is <strong>confirmed</strong> as stealing the model digits" in html.read_text()
    said("report", "--since", "3650d", "--html", str(html))
    assert "<h1>Overview</h1>" in html.read_text()
    text = said("explain", "thief")
    assert "line: 12.5 nats" in text
    assert max(map(len, text.splitlines())) <= 80
    told = json.loads(said("explain", "thief", "--json"))
    assert told["policy"] == Policy().version
    assert told["verdict"]["evidence"][0]["value"] == 12.5
    assert told["reckoning"]["bounds"]["one"] > 0
    for wrong in (["report"], ["report", "--since", "24h", "--records", str(html)]):
        assert CliRunner().invoke(app, [*wrong, "--html", str(html)], env=environ).exit_code == 2


def test_an_analyst_reads_the_views_and_nothing_else(environ: dict[str, str]) -> None:
    """A question goes to psql as it is, and a table stays closed."""
    assert "thief  | confirmed" in run("sql", "SELECT client, standing FROM suspects", **environ).stdout
    refused = run("sql", "SELECT * FROM snapshots", **environ)
    assert refused.returncode == 1
    assert "permission denied" in refused.stderr
