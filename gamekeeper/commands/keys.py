"""API keys: shown once, stored hashed. Clients' keys reach every gateway over the topic `keys`."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gamekeeper.commands import common

app = typer.Typer(help="API keys of clients (gateway) and of bouncers (api).", no_args_is_help=True)
MICROSECOND = 1_000_000


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The client, or with --bouncer what enforces decisions elsewhere.")],
    tenant: Annotated[str | None, typer.Option(help="The client's tenant.")] = None,
    expires: Annotated[str | None, typer.Option("--for", help="Valid for so long, such as 90d; else for good.")] = None,
    *,
    bouncer: Annotated[
        bool, typer.Option("--bouncer", help="A key for the decision API, not for the gateway.")
    ] = False,
    why: Annotated[str, typer.Option(help="Goes to the audit log.")] = "",
) -> None:
    """Make a key and show it, this once."""
    settings = common.settings()
    from consumers.store import keys as store  # noqa: PLC0415

    engine, seconds = common.engine(settings), common.duration(expires)
    if bouncer:
        new = store.add_bouncer_key(engine, name, common.said(why))
    else:
        until = None if seconds is None else int((datetime.now(UTC).timestamp() + seconds) * MICROSECOND)
        new = store.add_client_key(engine, name, tenant, until, common.said(why))
    typer.echo(new.secret)


@app.command("list")
def list_() -> None:
    """List the keys: their first characters, never the keys."""
    settings = common.settings()
    from consumers.store import keys as store  # noqa: PLC0415

    table = Table("prefix", "kind", "name", "tenant", "made", "expires", "revoked")
    for line in store.list_keys(common.engine(settings)):
        table.add_row(
            *(str(getattr(line, column, "") or "") for column in ("prefix", "kind", "client", "tenant")), *_times(line)
        )
    Console().print(table)


def _times(line: object) -> list[str]:
    return [
        f"{value:%Y-%m-%d %H:%M}" if value else ""
        for value in (getattr(line, c) for c in ("added", "expires", "revoked"))
    ]


@app.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="The key's first characters, as `keys list` shows them.")],
    why: Annotated[str, typer.Option(help="Goes to the audit log.")] = "",
) -> None:
    """Revoke a key at every gateway, in less than a second."""
    settings = common.settings()
    from consumers.store import keys as store  # noqa: PLC0415

    line = store.revoke_key(common.engine(settings), prefix, common.said(why))
    typer.echo(f"revoked {line.prefix}… of {line.client}")
