"""The command line: help that reads well, exit codes 0, 1 and 2, and failures in one line."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup, TyperOption
from typer.testing import CliRunner

from gamekeeper import settings
from gamekeeper.cli import app

EXPECTED = {
    "demo", "up", "visit", "detect", "deliver", "gateway", "api", "topics", "migrate", "learn", "replay", "clients",
    "show", "report", "explain", "sql", "label", "block", "allow", "lift", "settings", "keys add", "keys list",
    "keys revoke", "keys rotate", "keys role", "keys roles", "keys write", "populations use", "populations list",
    "watermark embed", "watermark verify", "watermark check", "watermark forget", "deliveries list",
    "deliveries resend", "doctor", "episodes", "retain", "forget", "policy show", "policy diff", "policy apply",
    "policy rollback",
}  # fmt: skip
UNSET = {setting.name: "" for setting in settings.SETTINGS}
NOBODY = "postgresql+psycopg2://nobody@127.0.0.1:9/x"  # discard: nobody listens there


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with the words that call it."""
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from leaves(below, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))


def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a process of its own, with no setting but those given."""
    return subprocess.run(
        [sys.executable, "-m", "gamekeeper", *arguments],
        env=settings.environment(UNSET | environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_command_that_was_promised_is_there() -> None:
    """The list of commands is a contract."""
    assert {" ".join(path) for path in COMMANDS} >= EXPECTED


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_reads_well(path: tuple[str, ...]) -> None:
    """Each command says in a sentence what it is for, and each of its options has a help text."""
    command = COMMANDS[path]
    assert command.help is not None
    assert command.help.split("\n")[0].endswith(".")
    for parameter in command.params:
        if isinstance(parameter, TyperOption) and parameter.name != "help":
            assert parameter.help, f"{' '.join(path)} {parameter.opts[0]} has no help"
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0


def test_help_is_quick() -> None:
    """Asking for help loads neither TensorFlow nor numba, river, Kafka or a database driver."""
    heavy = ("tensorflow", "numba", "river", "sklearn", "kafka", "sqlalchemy", "psycopg2", "fastapi")
    code = f"import sys, gamekeeper.cli; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str) -> None:
    """Each shell gets a script, and what the script asks is answered."""
    script = run(_GAMEKEEPER_COMPLETE=f"source_{shell}")
    assert "_GAMEKEEPER_COMPLETE" in script.stdout
    typed = {"COMP_WORDS": "gamekeeper po", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "gamekeeper po"}
    asked = {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "po"}
    found = run(_GAMEKEEPER_COMPLETE=f"complete_{shell}", **typed, **asked)
    assert {"policy", "populations"} <= set(re.findall(r"\w+", found.stdout))


def test_the_script_is_for_the_shell_that_asks() -> None:
    """As `--install-completion` writes it."""
    command = f"{sys.executable} -m gamekeeper --show-completion; true"  # `; true`: else the shell gives its place away
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert "complete -o" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["block"], ["replay", "x.jsonl"], ["block", "x", "--for", "soon"], ["visit", "--thief", "nobody"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    """An unknown command, a missing argument and a value that cannot be read are wrong usage."""
    assert run(*arguments).returncode == 2


FAILURES = [
    (("detect",), {}, "KAFKA_BOOTSTRAP_SERVERS"),
    (("migrate",), {}, "DATABASE_URL"),
    (("gateway",), {}, "GAMEKEEPER_MODELS"),
    (("watermark", "verify", "x.keras", "--client", "x"), {}, "GAMEKEEPER_GATEWAY_SECRET"),
    (("topics",), {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}, "KAFKA_BOOTSTRAP_SERVERS"),
    (("topics",), {"GAMEKEEPER_PARTITIONS": "many"}, "GAMEKEEPER_PARTITIONS"),
    (("detect",), {"GAMEKEEPER_POLICY": "/no/such/policy.toml"}, "GAMEKEEPER_POLICY"),
    (("visit",), {"GAMEKEEPER_DATA": "/no/such/folder"}, "GAMEKEEPER_DATA"),
    (("sql", "SELECT 1"), {}, "DATABASE_URL"),
    (("clients",), {"DATABASE_URL": NOBODY}, "DATABASE_URL"),
    (("migrate",), {"DATABASE_URL": NOBODY}, "DATABASE_URL"),
    (("replay", "/no/such/records.jsonl", "--verdicts", "/dev/null"), {}, "/no/such/records.jsonl"),
]


@pytest.mark.parametrize(("arguments", "environ", "named"), FAILURES, ids=[" ".join((*a, *e)) for a, e, _ in FAILURES])
def test_a_failure_is_one_line_and_exit_code_1(arguments: tuple[str, ...], environ: dict[str, str], named: str) -> None:
    """What is wrong with settings, services and files is said in one line that names it."""
    result = run(*arguments, **environ)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert named in result.stderr


BAD_POLICIES = ["alpha = 2", "nonsense = 1", "window = 'wide'", "= =", "[durations]\nsuspected = 0"]


@pytest.mark.parametrize("policy", BAD_POLICIES)
def test_a_bad_policy_stops_detect_before_it_starts(policy: str, tmp_path: Path) -> None:
    """One line that names the member; nothing is connected to (nobody listens at these addresses)."""
    file = tmp_path / "policy.toml"
    file.write_text(policy)
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "DATABASE_URL": NOBODY, "GAMEKEEPER_POLICY": str(file)}
    result = run("detect", **environ)
    assert result.returncode == 1
    assert result.stderr.startswith("gamekeeper: policy")
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_bad_population_file_is_one_line(tmp_path: Path) -> None:
    """A population file that is none stops replay before it reads a record."""
    (tmp_path / "population.gk").write_bytes(b"not a population")
    (tmp_path / "records.jsonl").write_text("")
    arguments = ["replay", str(tmp_path / "records.jsonl"), "--verdicts", str(tmp_path / "verdicts.jsonl")]
    result = run(*arguments, "--population", str(tmp_path / "population.gk"))
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "population" in result.stderr
    assert not (tmp_path / "verdicts.jsonl").exists()


def test_settings_are_listed_without_secrets() -> None:
    """The table names every setting in full, and hides passwords, also when a setting is wrong."""
    environ = {"DATABASE_URL": "postgresql+psycopg2://me:hunter2@db/x", "GAMEKEEPER_PUSH_TOKEN": "hunter2"}
    result = run("settings", GAMEKEEPER_PARTITIONS="x", COLUMNS="200", **environ)
    assert result.returncode == 0
    assert "hunter2" not in result.stdout
    for setting in settings.SETTINGS:
        assert setting.name in result.stdout
