"""What is told of a client, or of all, to be read elsewhere: a page, or how each score came about."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gamekeeper.commands import common

PANEL = "People"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (report, explain):
        app.command(rich_help_panel=PANEL)(command)


def report(
    html: Annotated[Path, typer.Option(dir_okay=False, help="The file to write; one that is there is replaced.")],
    client: Annotated[str | None, typer.Argument(help="The client; or an overview with --since.")] = None,
    since: Annotated[str | None, typer.Option(help="An overview of who asked in the last 30m, 24h, 7d.")] = None,
) -> None:
    """Write a report as one HTML file that needs no network: of a client, or an overview."""
    seconds, now = common.duration(since), datetime.now(UTC)
    if (client is None) == (seconds is None):
        raise typer.BadParameter("name a CLIENT, or say --since for an overview")
    settings = common.settings()
    from consumers.report import page  # noqa: PLC0415
    from consumers.store import cases, reads  # noqa: PLC0415

    engine = common.engine(settings)
    if client is not None:
        made = page.client(client, cases.case(engine, client), common.policy(settings), now)
    else:
        start = now - timedelta(seconds=seconds or 0)
        made = page.overview(reads.clients(engine, since=start), start, now)
    html.write_text(made, encoding="utf-8")
    typer.echo(str(html))


def explain(
    client: Annotated[str, typer.Argument(help="The client.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON line a verdict.")] = False,
) -> None:
    """Explain each verdict: its readings, and how the score came about. The oldest first."""
    settings = common.settings()
    from consumers.store import cases  # noqa: PLC0415
    from gamekeeper.commands import explained  # noqa: PLC0415

    case, policy = cases.case(common.engine(settings), client), common.policy(settings)
    told = map(msgspec.json.encode, explained.rows(case, policy)) if json else explained.lines(case, policy)
    for line in told:
        typer.echo(line)
