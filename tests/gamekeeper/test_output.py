"""What commands print: JSON for programs wherever there is something to print, tables that fit a narrow terminal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.text import Text
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from consumers.store import populations
from consumers.store.engine import connect
from detector.policy import Approval, Policy
from detector.standing import Standing
from gamekeeper.cli import app
from gamekeeper.commands import common
from tests.gamekeeper.test_cli import COMMANDS
from tests.store.given import one, population, saved, verdict

SILENT = {  # commands without --json, each with the reason
    "up": "runs until Ctrl-C; writes --endpoints",
    "detect": "runs until SIGTERM",
    "deliver": "runs until SIGTERM",
    "gateway": "runs until SIGTERM",
    "api": "runs until SIGTERM",
    "warm": "fills a cache and has nothing to tell",
    "learn": "writes a population; prints what it can promise, for a person to read",
    "replay": "writes JSON lines to the files that are named",
    "report": "writes a page",
    "sql": "becomes psql, which has forms of its own",
    "watermark embed": "writes a model; prints what that cost, for a person to read",
}
HOSTILE = "[bold]" + "ñ会" * 3_000 + "[/nonsense]\n"  # 20 kB, no markup, not one column a letter
COLUMNS = 80
WHY = ("--why", "a test")


@pytest.fixture
def engine(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Return a database in which the commands work, on a terminal of 80 columns."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    found = connect(database)
    yield found
    found.dispose()


def run(*arguments: str) -> str:
    """Run `gamekeeper …` in this process."""
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def lines(*arguments: str) -> list[dict[str, object]]:
    """Run a command with --json and return its lines."""
    return [json.loads(line) for line in run(*arguments, "--json").splitlines()]


def test_json_everywhere() -> None:
    """A new command has --json, or its name and a reason go above."""
    without = {
        " ".join(path)
        for path, command in COMMANDS.items()
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == set(SILENT)


def test_what_people_ask_is_told_as_json(engine: Engine) -> None:
    """Each command that looks something up."""
    saved(engine, verdict(Standing.CONFIRMED))
    population(engine, "p1")
    populations.use(engine, "digits", "p1", "ann")
    assert lines("clients")[0]["client"] == "thief"
    [shown] = lines("show", "thief")
    assert [len(found) for found in shown.values() if isinstance(found, list)] == [1, 1, 1, 0]
    [episode] = lines("episodes")
    assert (episode["client"], episode["closed"], episode["signals"]) == ("thief", None, ["line"])
    [listed] = lines("populations", "list")
    assert (listed["version"], listed["wanted"], listed["in_force"]) == ("p1", True, [])
    assert lines("channels", "list")[0]["name"] == "topic"
    assert {line["channel"] for line in lines("deliveries", "list")} == {"topic", "push:edge", "webhook:security"}
    assert (
        lines("breaker", "show") == lines("proposals", "list") == lines("keys", "list") == lines("keys", "roles") == []
    )
    assert {line["name"] for line in lines("settings")} >= {"DATABASE_URL", "GAMEKEEPER_RETAIN"}
    assert {line["table"] for line in lines("retain")} >= {"verdicts", "deliveries"}
    [migrated] = lines("migrate")
    assert (migrated["schema"], migrated["notes"]) == ("public", [])


def test_what_people_do_is_told_as_json(engine: Engine, tmp_path: Path) -> None:
    """Each command that changes something; decisions as the topic has them."""
    saved(engine, verdict(Standing.CONFIRMED))
    [blocked] = lines("block", "thief", *WHY)
    assert (blocked["action"], blocked["origin"], blocked["value"]) == ("block", "person", "thief")
    assert {line["action"] for line in lines("allow", "thief", *WHY)} == {"allow"}
    assert {line["action"] for line in lines("lift", "thief", *WHY)} == {"allow"}
    assert lines("label", "thief", "true-positive", *WHY)[0]["label"] == "true-positive"
    [key] = lines("keys", "add", "alice", "--tenant", "acme")
    assert str(key["secret"]).startswith(str(key["prefix"]))
    [again] = lines("keys", "rotate", str(key["prefix"]))
    assert lines("keys", "revoke", str(again["prefix"]))[0]["client"] == "alice"
    assert lines("keys", "write", "bob", str(tmp_path / "keys.jsonl"))[0].keys() == key.keys()
    assert lines("keys", "role", "trial") == [{"role": "trial", "removed": False}]
    assert lines("watermark", "forget", "thief") == [{"client": "thief", "marks": 0}]
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET outcome = 'given-up', settled = now() WHERE kind = 'alert'"))
    assert lines("deliveries", "resend", "--channel", "webhook:security", "--given-up")[0]["owed_again"]


def test_which_episodes(engine: Engine) -> None:
    """Of a client, of a model, or those that are open; the latest first."""
    saved(engine, verdict(Standing.SUSPECTED), verdict(Standing.CLEAR, 2, previous=Standing.SUSPECTED))
    saved(engine, verdict(Standing.CONFIRMED, client="other", model="faces", time=verdict(Standing.CLEAR, 9).time))
    assert [line["client"] for line in lines("episodes")] == ["other", "thief"]
    assert [line["client"] for line in lines("episodes", "--open")] == ["other"]
    assert [line["model"] for line in lines("episodes", "--client", "thief")] == ["digits"]
    assert [line["client"] for line in lines("episodes", "--model", "faces")] == ["other"]
    assert "open" in run("episodes", "--open")


TABLES = (
    ("clients",), ("episodes",), ("deliveries", "list"), ("proposals", "list"), ("keys", "list"), ("keys", "roles"),
    ("populations", "list"), ("channels", "list"), ("settings",), ("breaker", "show"), ("retain",),
)  # fmt: skip


def test_tables_fit_a_narrow_terminal(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever others called themselves: a row stays a line, is cut, and says so; it is no markup."""
    who = HOSTILE.strip()
    given: dict[str, Any] = {"client": who, "model": who, "tenant": who, "reason": HOSTILE}
    saved(engine, verdict(Standing.CONFIRMED, **given), policy=Policy(approval=Approval(blocks=True)))
    run("keys", "add", who, "--tenant", who, "--role", who)
    run("keys", "role", who, "--model", who)
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET why = :who"), {"who": HOSTILE})
    population(engine, "0123456789abcdef")
    with engine.begin() as connection:
        connection.execute(text("UPDATE populations SET model = :who"), {"who": who})
    monkeypatch.setenv("GAMEKEEPER_WEBHOOKS", f"{'a' * 60}=https://{'b' * 60}.example/x")
    monkeypatch.setenv("GAMEKEEPER_WEBHOOK_SECRET", f"whsec_{'c' * 32}")
    for command in TABLES:
        printed = run(*command).splitlines()
        assert max(map(cell_len, printed)) <= COLUMNS, command
    assert len(run("clients").splitlines()) == 2
    assert "…" in run("clients")
    assert one(engine, "SELECT verdict::text FROM proposals") in run("proposals", "list")  # ids are never cut


def test_in_a_pipe_lines_are_long(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no terminal bounds it, what has an ordinary length is not cut."""
    monkeypatch.delenv("COLUMNS")
    saved(engine, verdict(Standing.CONFIRMED, client="c" * 500))
    assert "c" * 500 in run("clients")


@pytest.mark.parametrize(
    ("cell", "shown"), [(None, ""), (1234, "1,234"), (0.126, "0.13"), ("a\nb", "a b"), (Text("x"), "x")]
)
def test_cells(cell: object, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers as people read them, text on one line."""
    common.tell([cell], ["column"], lambda one: [one])
    assert capsys.readouterr().out.splitlines()[1].strip() == shown
