"""What several commands need: settings with a log, the policy, the engine, durations, who is asking."""

import getpass
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.policy import BadPolicy, Policy, parse
from detector.records import encode_decision
from gamekeeper import endpoints, logs
from gamekeeper.settings import Settings, load

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from consumers.store.facts import Channels
    from consumers.store.people import Said
    from detector.decision import Decision
    from gateway.policy import Policy as GatewayPolicy

T = TypeVar("T")
PIPE_COLUMNS = 1_000  # as wide as a table may be where neither a terminal nor COLUMNS bounds it
JSON = Annotated[bool, typer.Option("--json", help="JSON for programs, one line each.")]
WHY = Annotated[str, typer.Option(help="Goes to the audit log, and to whoever reads it in a year.")]
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def settings() -> Settings:
    """Return the settings and start the log in the form that they ask for."""
    found = load()
    logs.configure(found.log_format, found.log_level)
    return found


def policy(found: Settings) -> Policy:
    """Return the policy in force: that of the file, or the built-in one. Raises BadPolicy."""
    if found.policy is None:
        return Policy()
    try:
        return parse(found.policy.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadPolicy(f"policy: {found.policy} cannot be read ({error.strerror}); mend GAMEKEEPER_POLICY") from error


def gateway_policy(found: Settings) -> "GatewayPolicy":
    """Return the gateway's policy: that of the file, or the built-in one. Raises BadPolicy."""
    from gateway import policy as gateways  # noqa: PLC0415

    if found.gateway_policy is None:
        return gateways.Policy()
    try:
        return gateways.parse(found.gateway_policy.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise gateways.BadPolicy(f"gateway policy: {found.gateway_policy} cannot be read: {error}") from error


def engine(found: Settings) -> "Engine":
    """Return a database engine."""
    from consumers.store.engine import connect  # noqa: PLC0415

    return connect(found.need_database(), found.schema)


def channels(found: Settings) -> "Channels":
    """Return where decisions and alerts are owed to. Raises BadSettings."""
    from consumers.store.facts import Channels  # noqa: PLC0415

    more = endpoints.of_file(found)
    return Channels(
        decisions=("topic", *(f"push:{name}" for name, _ in found.push), *(one.channel for one in more if one.decides)),
        alerts=(
            *(f"webhook:{name}" for name, _ in found.webhooks),
            *(one.channel for one in more if not one.decides),
        ),
        filters={one.channel: one.filter for one in more},
    )


def said(why: str) -> "Said":
    """Return who is asking (the operating system's user) and why, for the audit log."""
    from consumers.store.people import Said  # noqa: PLC0415

    return Said(who=getpass.getuser(), why=why)


def duration(text: str | None) -> int | None:
    """Return seconds of "90s", "30m", "4h" or "7d"; None stays None. Raises typer.BadParameter."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,8})([smhd])", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a duration such as 90s, 30m, 4h or 7d")
    return int(match[1]) * UNITS[match[2]]


def moment(time_us: int | None) -> str:
    """Return a time (µs since 1970) as people read it, in UTC."""
    return "" if time_us is None else f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%d %H:%M:%S}Z"


def with_policy(found: Settings, file: Path) -> Settings:
    """Return the settings with another policy file."""
    return replace(found, policy=file)


def after(seconds: int) -> int:
    """Return the time (µs since 1970) `seconds` from now."""
    return int((datetime.now(UTC).timestamp() + seconds) * 1e6)


def tell(
    found: Iterable[T], names: Sequence[str], cells: Callable[[T], Sequence[object]], *, json: bool = False
) -> None:
    """Print things that were found: as JSON, one line each, or as a table with a row each.

    `names` are the columns' and `cells` makes a row of a thing. Numbers and times are never cut; text that the terminal
    (or COLUMNS) has no room for ends in an ellipsis, unless it is `whole` or `folding`.
    """
    if json:
        for one in found:
            typer.echo(msgspec.json.encode(one))
        return
    rows = [tuple(map(_cell, cells(one))) for one in found]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for position, name in enumerate(names):
        table.add_column(name, no_wrap=all(row[position].overflow is None for row in rows))
    for row in rows:
        table.add_row(*row)
    Console(width=shutil.get_terminal_size((PIPE_COLUMNS, 1)).columns, highlight=False).print(table)


def whole(text: str) -> Text:
    """Return a cell that is not cut: what people copy."""
    return Text(_line(text), no_wrap=True)


def folding(text: str, style: str = "") -> Text:
    """Return a cell that goes on in further lines: our own words, that people read."""
    return Text(_line(text), style, overflow="fold")


def say(one: object, text: str, *, json: bool) -> None:
    """Print what a command has done: as JSON for programs, or in words."""
    typer.echo(msgspec.json.encode(one) if json else text)


def decided(made: "Iterable[Decision]", text: str, *, json: bool) -> None:
    """Print decisions that were taken: one JSON line each, as the topic has them, or in words."""
    for one in made if json else ():
        typer.echo(encode_decision(one))
    if not json:
        typer.echo(text)


def _cell(value: object) -> Text:
    """Return text that is never markup, whatever it holds: most names were given by others."""
    match value:
        case Text():
            return value
        case None | str():
            return Text(_line(value or ""), no_wrap=True, overflow="ellipsis")
        case datetime():
            return whole(f"{value:%F %H:%M}")
        case float():
            return whole(f"{value:.2f}")
        case int():
            return Text(f"{value:,}", no_wrap=True, justify="right")
        case _:
            return whole(str(value))


def _line(text: str) -> str:
    return text.replace("\n", " ")
