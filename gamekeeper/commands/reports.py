"""What is told of a client, or of all, to be read elsewhere: a page, or how each score came about."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from gamekeeper import brokers
from gamekeeper.commands import common

if TYPE_CHECKING:
    from consumers.report.inputs import Inputs
    from consumers.store.cases import Case
    from gamekeeper.settings import Settings

PANEL = "People"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (report, explain):
        app.command(rich_help_panel=PANEL)(command)


def report(
    html: Annotated[Path, typer.Option(dir_okay=False, help="The file to write; one that is there is replaced.")],
    client: Annotated[str | None, typer.Argument(help="The client; or an overview with --since.")] = None,
    since: Annotated[str | None, typer.Option(help="An overview of who asked in the last 30m, 24h, 7d.")] = None,
    records: Annotated[
        list[str] | None,
        typer.Option(
            help="Where a client's named queries may still be: files or kafka://TOPIC[?from=TIME&until=TIME]."
        ),
    ] = None,
) -> None:
    """Write a report as one HTML file that needs no network: of a client, or an overview."""
    seconds, now = common.duration(since), datetime.now(UTC)
    if (client is None) == (seconds is None):
        raise typer.BadParameter("name a CLIENT, or say --since for an overview")
    if records and client is None:
        raise typer.BadParameter("--records goes with a CLIENT: an overview shows no inputs")
    settings = common.settings()
    from consumers.report import page  # noqa: PLC0415
    from consumers.store import cases, reads  # noqa: PLC0415

    engine = common.engine(settings)
    if client is not None:
        case = cases.case(engine, client)
        made = page.client(client, case, now, _inputs(settings, client, case, records) if records else None)
    else:
        start = now - timedelta(seconds=seconds or 0)
        made = page.overview(reads.clients(engine, since=start), start, now)
    html.write_text(made, encoding="utf-8")
    typer.echo(str(html))


def _inputs(settings: "Settings", client: str, case: "Case", records: list[str]) -> "Inputs":
    """Return the inputs of the queries that the report names, as far as the records hold them."""
    from consumers import lookup  # noqa: PLC0415
    from consumers.report import portrait  # noqa: PLC0415

    shapes = {one.model: one.shape for one in case.populations.values()}
    sought = lookup.Sought(client, portrait.named(case), shapes)
    topic = any(source.startswith("kafka://") for source in records)
    with Console(stderr=True).status("looking for the named queries"):
        return lookup.look_up(records, sought, brokers.kafka(settings) if topic else None)


def explain(
    client: Annotated[str, typer.Argument(help="The client.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON line a verdict.")] = False,
) -> None:
    """Explain each verdict: its readings, and how the score came about. The oldest first."""
    settings = common.settings()
    from consumers.store import cases  # noqa: PLC0415
    from gamekeeper.commands import explained  # noqa: PLC0415

    case = cases.case(common.engine(settings), client)
    told = map(msgspec.json.encode, explained.rows(case)) if json else explained.lines(case)
    for line in told:
        typer.echo(line)
