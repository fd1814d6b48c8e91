"""What is kept, and what is let go: by age, and of a person who asks for it."""

from typing import Annotated

import typer

from gamekeeper.commands import common
from gamekeeper.commands.common import JSON
from gamekeeper.settings import BadSettings

PANEL = "System"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (retain, forget):
        app.command(rich_help_panel=PANEL)(command)


def retain(*, json: JSON = False) -> None:
    """Let go of what is older than its table's days. Safe while everything runs; run it daily, as the tables' owner."""
    settings = common.settings()
    days = dict(settings.retain)
    from consumers.store import retention  # noqa: PLC0415

    unknown = sorted(days.keys() - retention.DAYS.keys())
    if unknown:
        raise BadSettings(f"GAMEKEEPER_RETAIN: {', '.join(unknown)} is none of {', '.join(sorted(retention.DAYS))}")
    common.tell(
        retention.retain(common.engine(settings), days),
        ("table", "days", "rows gone", "days dropped"),
        lambda one: (one.table, one.days, one.rows, one.partitions),
        json=json,
    )


def forget(
    client: Annotated[str, typer.Argument(help="The client whose data is to go.")],
    why: Annotated[str, typer.Option(help="Goes to the audit log and stays: without the client's name.")],
    *,
    json: JSON = False,
) -> None:
    """Erase all that is held of a client, and say what is out of reach. Lift what is in force on it first."""
    settings = common.settings()
    from consumers.store import forgetting  # noqa: PLC0415

    if client in why:
        raise typer.BadParameter("--why names the client, and stays in the audit log; say it without the name")
    gone = forgetting.forget(common.engine(settings), client, common.said(why), common.channels(settings))
    told = ", ".join(f"{rows:,} {table}" for table, rows in gone.rows.items() if rows)
    beyond = [f"out of reach: {one}" for one in forgetting.BEYOND]
    lines = [f"erased: {told}; the audit log says {gone.alias}", *beyond]
    done = {"alias": gone.alias, "rows": gone.rows, "out_of_reach": forgetting.BEYOND}
    common.say(done, "\n".join(lines), json=json)
