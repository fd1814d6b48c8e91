"""The commands of deliveries, on a real database."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from consumers.store.engine import connect
from consumers.store.outbox import GivenUp, claim_deliveries, settle
from detector.standing import Standing
from gamekeeper.cli import app
from tests.store.given import one, saved, verdict

HOOK = "webhook:security"


@pytest.fixture
def engine(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Return a database with one alert that was given up."""
    monkeypatch.setenv("DATABASE_URL", database)
    found = connect(database)
    saved(found, verdict(Standing.SUSPECTED))
    [alert] = claim_deliveries(found, 10, 30.0, (HOOK,))
    settle(found, alert.id, GivenUp("10 tries; the last: the endpoint says 500"))
    yield found
    found.dispose()


def run(*arguments: str, code: int = 0) -> str:
    """Run `gamekeeper deliveries …` in this process."""
    result = CliRunner().invoke(app, ["deliveries", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_given_up_is_seen_and_sent_again(engine: Engine) -> None:
    """Listed with its reason, by filter, as a table and as JSON; sent again by id or by channel; audited."""
    [line] = [json.loads(text) for text in run("list", "--outcome", "given-up", "--since", "1h", "--json").splitlines()]
    assert (line["channel"], line["attempts"], line["outcome"]) == (HOOK, 1, "given-up")
    assert line["message"].startswith("msg_")
    assert "payload" not in line
    assert "given-up" in run("list", "--channel", HOOK)
    assert run("list", "--channel", "webhook:none", "--json") == ""
    assert run("resend", str(line["id"]), "--why", "mended").startswith("1 ")
    assert run("list", "--outcome", "given-up", "--json") == ""
    [alert] = claim_deliveries(engine, 10, 30.0, (HOOK,))
    assert alert.message == line["message"]
    settle(engine, alert.id, GivenUp("410"))
    assert run("resend", "--channel", HOOK, "--given-up").startswith("1 ")
    assert one(engine, "SELECT count(*) FROM audit_log WHERE what = 'deliveries-resend'") == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--outcome", "lost"),
        ("list", "--since", "soon"),
        ("resend",),
        ("resend", "--given-up"),
        ("resend", "--channel", HOOK),
        ("resend", "1", "--channel", HOOK, "--given-up"),
        ("resend", "1", "--given-up"),
    ],
)
def test_what_is_not_clear_is_wrong_usage(engine: Engine, arguments: tuple[str, ...]) -> None:
    """Nothing is sent again by half a wish."""
    del engine
    run(*arguments, code=2)


def test_another_delivery_cannot_be_sent_again(engine: Engine) -> None:
    """One that was not given up is named, and the command fails."""
    del engine
    run("resend", "77", code=1)
