"""The commands for what waits for a person, and for the policy, on a real database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from consumers.store import policies
from consumers.store.engine import connect
from detector.policy import Approval, Policy, lines, parse
from detector.standing import Standing
from gamekeeper.cli import app
from tests.store.given import one, rows, saved, verdict


@pytest.fixture
def engine(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Return a database in which the commands work."""
    monkeypatch.setenv("DATABASE_URL", database)
    found = connect(database)
    yield found
    found.dispose()


def run(*arguments: str, code: int = 0) -> str:
    """Run `gamekeeper …` in this process."""
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_the_breaker(engine: Engine) -> None:
    """It is shown, closed with a reason, and who was kept back is blocked by one command."""
    saved(engine, *(verdict(Standing.CONFIRMED, client=f"thief-{number}") for number in range(6)))
    assert json.loads(run("breaker", "show", "--json"))["blocked"] == 6
    assert "open" in run("breaker", "show")
    assert "6 blocks wait" in run("breaker", "close", "digits", "--why", "a real attack")
    assert len(run("proposals", "list", "--json").splitlines()) == 6
    assert "thief-0" in run("proposals", "list", "--model", "digits")
    done = run("proposals", "approve", "--model", "digits", "--why", "a real attack", "--json")
    assert len(done.splitlines()) == 6
    assert one(engine, "SELECT count(*) FROM active_decisions WHERE action = 'block' AND NOT shadow") == 6
    assert one(engine, "SELECT count(*) FROM audit_log WHERE why = 'a real attack'") == 7


def test_proposals_by_name(engine: Engine) -> None:
    """One is declined by its id; naming neither ids nor a model is wrong usage."""
    saved(engine, verdict(Standing.CONFIRMED), policy=Policy(approval=Approval(blocks=True)))
    name = json.loads(run("proposals", "list", "--json"))["verdict"]
    assert run("proposals", "decline", name, "--why", "a partner") == "thief: not blocked\n"
    assert run("proposals", "list", "--json") == ""
    run("proposals", "approve", "--why", "x", code=2)
    run("proposals", "approve", name, "--model", "digits", "--why", "x", code=2)


def test_a_policy_comes_and_goes(engine: Engine, tmp_path: Path) -> None:
    """Applied by one command, rolled back by one; what is shown can be applied again; each is audited."""
    file = tmp_path / "new.toml"
    file.write_text("shadow_models = ['digits']\n[approval]\nblocks = true\n")
    policies.introduce(engine, Policy())
    made = json.loads(run("policy", "apply", str(file), "--why", "first look", "--json"))
    assert made["policy"] == parse(file.read_text()).version
    shown = run("policy", "show")
    assert parse(shown) == parse(file.read_text())
    assert "first look" in shown
    assert json.loads(run("policy", "show", "--json"))["policy"]["shadow_models"] == ["digits"]
    assert Policy().version in run("policy", "rollback", "--why", "enough seen")
    assert parse(run("policy", "show")) == Policy()
    assert parse(run("policy", "show", made["policy"])) == parse(file.read_text())
    assert rows(engine, "SELECT what, why FROM audit_log ORDER BY id") == [
        ("policy-apply", "first look"),
        ("policy-rollback", "enough seen"),
    ]


def test_every_policy_is_toml() -> None:
    """What is shown is read back, with every member set."""
    policy = parse("alpha = 0.01\nshadow_models = ['a', 'b\"c']\n[leakage]\nbudget = 0.5\n")
    assert parse("\n".join(lines(policy))) == policy
