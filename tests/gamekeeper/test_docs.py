"""What the docs tell people to type is there: every command, each of its options, every setting."""

import re
import shlex
from collections.abc import Iterator
from itertools import product

import pytest
import typer.main
from typer.core import TyperGroup

from gamekeeper.cli import app
from gamekeeper.settings import SETTINGS
from tests.consumers.road import ROOT
from tests.gamekeeper.test_cli import COMMANDS

DOCS = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "deploy/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SPAN, LINE = (
    re.compile(r"`gamekeeper ([a-z][^`\n]+)`"),
    re.compile(r"^ *(?:[A-Z_]+=\S+ )*gamekeeper ([a-z].*)$", re.MULTILINE),
)
OPTION = re.compile(r"--[a-z][a-z-]*")
SETTING = re.compile(r"\bGAMEKEEPER_[A-Z_]+[A-Z]\b")
OURS = {setting.name for setting in SETTINGS} | {f"{setting.name}_FILE" for setting in SETTINGS if setting.secret}


def told(text: str) -> Iterator[str]:
    """Yield each single command of a text, without `gamekeeper`: `a|b` are two, `x && gamekeeper y` as well."""
    for line in (*SPAN.findall(text), *LINE.findall(text)):
        typed, *_ = re.split(r"\s#|\s{3,}", line)  # then what it does
        for command in re.split(r"&+", typed.removesuffix("&")):
            words = command.removeprefix(" gamekeeper ").split()
            yield from (" ".join(one) for one in product(*(word.split("|") for word in words)))


def lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each command that has a line to itself, but for outlines with `[…]`."""
    for line in LINE.findall(text):
        typed, *_ = re.split(r"\s#|\s{3,}|&+", line)
        if "[" not in typed:
            yield shlex.split(typed)


def parse(words: list[str]) -> None:
    """Read a command as the program does, without running it. Raises UsageError."""
    here = typer.main.get_command(app)
    while isinstance(here, TyperGroup):
        here = here.commands[words.pop(0)]
    here.make_context("gamekeeper", words)


def known(command: str) -> bool:
    """Tell whether there is such a command, and has each option that is named."""
    here, words = typer.main.get_command(app), command.split()
    while isinstance(here, TyperGroup) and words:
        if words[0] not in here.commands:
            return False
        here = here.commands[words.pop(0)]
    options = {name for parameter in here.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return set(OPTION.findall(" ".join(words))) <= options | {"--help"}


@pytest.mark.parametrize("name", [str(file.relative_to(ROOT)) for file in DOCS])
def test_what_is_to_be_typed_is_there(name: str) -> None:
    """Commands with their options, settings, and lines with all of their arguments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [command for command in told(text) if not known(command)] == []
    assert set(SETTING.findall(text)) <= OURS
    for words in lines(text):
        parse(words)


def test_every_command_is_told_of() -> None:
    """One line each, in its own words."""
    told_of = set((ROOT / "docs" / "commands.md").read_text(encoding="utf-8").splitlines())
    for path, command in COMMANDS.items():
        assert f"| `gamekeeper {' '.join(path)}` | {str(command.help).splitlines()[0]} |" in told_of
