"""What people look up and decide. Every change goes to the audit log with who and why."""

from typing import Annotated

import typer
from rich.console import Console

from detector.decision import ANY_MODEL, Action, Key, Scope
from gamekeeper.commands import common
from gamekeeper.commands.common import WHY

PANEL = "People"
CLIENT = Annotated[str, typer.Argument(help="The client; with --scope, the tenant or the address.")]
SCOPE = Annotated[Scope, typer.Option(help="What CLIENT names.")]
MODEL = Annotated[str, typer.Option(help='One model, or "*" for all.')]
FOR = Annotated[str | None, typer.Option("--for", help="How long: 90s, 30m, 4h, 7d.")]
LABELS = ("false-positive", "true-positive", "authorised-test")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (clients, show, label, block, allow, lift):
        app.command(rich_help_panel=PANEL)(command)


def clients() -> None:
    """List clients, those with the strongest evidence first."""
    settings = common.settings()
    from consumers.store import reads  # noqa: PLC0415

    table = common.table("client", "model", "standing", "score", "queries", "leakage", "last seen")
    for line in reads.clients(common.engine(settings)):
        leakage = "" if line.leakage is None else f"{line.leakage:.2f}"
        table.add_row(
            line.client,
            line.model,
            line.standing,
            f"{line.score:.2f}",
            f"{line.queries:,}",
            leakage,
            f"{line.at:%F %T}",
        )
    common.show(table)


def show(client: Annotated[str, typer.Argument(help="The client.")]) -> None:
    """Show where a client stands and why, with the queries that speak most, and the decisions about it."""
    settings = common.settings()
    from consumers.store import reads  # noqa: PLC0415
    from gamekeeper.commands import casefile  # noqa: PLC0415

    casefile.write(Console(), reads.show(common.engine(settings), client))


def label(
    client: Annotated[str, typer.Argument(help="The client.")],
    what: Annotated[str, typer.Argument(help=" | ".join(LABELS))],
    why: WHY,
    model: MODEL = ANY_MODEL,
) -> None:
    """Say what a client turned out to be. A false positive or an authorised test is lifted too."""
    if what not in LABELS:
        raise typer.BadParameter(f"{what!r} is not one of {', '.join(LABELS)}")
    settings = common.settings()
    from consumers.store import people  # noqa: PLC0415

    about = Key(Scope.CLIENT, client, model)
    people.conclude(common.engine(settings), about, what, common.said(why), common.channels(settings))
    typer.echo(f"{client}: {what}")


def block(client: CLIENT, why: WHY, scope: SCOPE = Scope.CLIENT, model: MODEL = ANY_MODEL, until: FOR = "24h") -> None:
    """Block a client, a tenant or an address, for a time."""
    settings = common.settings()
    from consumers.store import people  # noqa: PLC0415

    order = people.Order(scope, client, model, Action.BLOCK, common.duration(until), why, common.said(why).who)
    decision = people.decide(common.engine(settings), order, common.channels(settings))
    typer.echo(f"{client}: blocked until {common.moment(decision.until)} (serial {decision.serial})")


def allow(client: CLIENT, why: WHY, scope: SCOPE = Scope.CLIENT, model: MODEL = ANY_MODEL, until: FOR = None) -> None:
    """Put a client, a tenant or an address on the allowlist: it wins over every decision, at once."""
    settings = common.settings()
    from consumers.store import people  # noqa: PLC0415

    seconds = common.duration(until)
    entry = people.Entry(scope, client, model, None if seconds is None else common.after(seconds))
    people.allowlist_add(common.engine(settings), entry, common.said(why), common.channels(settings))
    typer.echo(f"{client}: allowed {'for good' if seconds is None else f'for {until}'}")


def lift(client: CLIENT, why: WHY, scope: SCOPE = Scope.CLIENT, model: MODEL = ANY_MODEL) -> None:
    """Lift what is in force; the same evidence does not bring it back. Also takes an entry off the allowlist."""
    settings = common.settings()
    from consumers.store import people  # noqa: PLC0415

    engine, said, channels = common.engine(settings), common.said(why), common.channels(settings)
    lifted = people.allowlist_remove(engine, scope, client, model, said, channels)
    lifted += people.lift(engine, scope, client, model, said, channels)
    typer.echo(f"{client}: {len(lifted)} decision{'' if len(lifted) == 1 else 's'} lifted")
