"""API keys and roles. Keys are shown once, stored hashed. Both reach every gateway over the topic `keys`."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.records import OPERATIONS, ApiKey, Operation, Role, encode_api_key
from detector.times import format_time
from gamekeeper.commands import common
from gamekeeper.commands.common import JSON

if TYPE_CHECKING:
    from consumers.store.keys import KeyLine

app = typer.Typer(
    help="API keys of clients (gateway), bouncers and people (api), and roles: what they permit.", no_args_is_help=True
)
PREFIX = Annotated[str, typer.Argument(help="The key's first characters, as `keys list` shows them.")]
PREDICT = ("predict",)
API_ROLES = ("read", "respond", "admin")  # as in the store, which is loaded only by commands that need it
WHY = Annotated[str, typer.Option(help="Goes to the audit log.")]
LOOK = "What it permits: predict (to ask) or metadata (to look); both, unless given. Repeatable."


@app.command()
def add(  # noqa: PLR0913  # options of a command
    name: Annotated[str, typer.Argument(help="The client; with --bouncer or --api the tool or the person.")],
    tenant: Annotated[str | None, typer.Option(help="The client's tenant.")] = None,
    expires: Annotated[str | None, typer.Option("--for", help="Valid for so long, such as 90d; else for good.")] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="What it may do, see `keys role`; predict, unless given. Repeatable.")
    ] = None,
    *,
    bouncer: Annotated[
        bool, typer.Option("--bouncer", help="A key for the decision API, not for the gateway.")
    ] = False,
    api: Annotated[str | None, typer.Option(help="A key for the REST API: read, respond or admin.")] = None,
    why: WHY = "",
    json: JSON = False,
) -> None:
    """Make a key and show it, this once."""
    if api is not None and api not in API_ROLES:
        raise typer.BadParameter(f"--api {api!r} is not one of {', '.join(API_ROLES)}")
    settings = common.settings()
    from consumers.store import keys as store  # noqa: PLC0415

    engine, seconds, pepper = common.engine(settings), common.duration(expires), settings.key_pepper.encode()
    until = None if seconds is None else common.after(seconds)
    if bouncer:
        new = store.add_bouncer_key(engine, name, common.said(why), pepper)
    elif api is not None:
        new = store.add_api_key(engine, store.Holder(name, roles=(api,), expires=until), common.said(why), pepper)
    else:
        holder = store.Holder(name, tenant, tuple(role or PREDICT), until)
        new = store.add_client_key(engine, holder, common.said(why), pepper)
    common.say(new, new.secret, json=json)


@app.command()
def write(
    name: Annotated[str, typer.Argument(help="The client.")],
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The key file; a line is added.")],
    expires: Annotated[str | None, typer.Option("--for", help="Valid for so long, such as 90d; else for good.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="What it may do; predict, unless given. Repeatable.")] = None,
    *,
    json: JSON = False,
) -> None:
    """Make a key for a gateway that runs alone (`gateway --keys FILE`, read when it starts) and show it, this once."""
    settings = common.settings()
    from consumers.store import keys as store  # noqa: PLC0415

    new, seconds = store.new_key(settings.key_pepper.encode()), common.duration(expires)
    until = None if seconds is None else format_time(common.after(seconds))
    line = ApiKey(hash=new.hash, prefix=new.prefix, client=name, roles=tuple(role or PREDICT), expires=until)
    with file.open("ab") as lines:
        lines.write(encode_api_key(line) + b"\n")
    common.say(new, new.secret, json=json)


@app.command("list")
def list_(*, json: JSON = False) -> None:
    """List the keys: their first characters, never the keys."""
    settings = common.settings()
    from consumers.store import keys as store  # noqa: PLC0415

    names = ("prefix", "kind", "name", "tenant", "roles", "made", "expires", "revoked")
    common.tell(store.list_keys(common.engine(settings)), names, _cells, json=json)


def _cells(line: "KeyLine") -> tuple[object, ...]:
    days = (common.whole(f"{at:%F}" if at else "") for at in (line.added, line.expires, line.revoked))
    return common.whole(line.prefix), common.whole(line.kind), line.client, line.tenant, " ".join(line.roles), *days


@app.command()
def revoke(prefix: PREFIX, why: WHY = "", *, json: JSON = False) -> None:
    """Revoke a key at every gateway, in less than a second."""
    settings = common.settings()
    from consumers.store import keys as store  # noqa: PLC0415

    line = store.revoke_key(common.engine(settings), prefix, common.said(why))
    common.say(line, f"revoked {line.prefix}… of {line.client}", json=json)


@app.command()
def rotate(
    prefix: PREFIX,
    overlap: Annotated[str, typer.Option(help="The old key works for so long yet, such as 24h.")] = "24h",
    why: WHY = "",
    *,
    json: JSON = False,
) -> None:
    """Make a key for the same client and show it, this once; the old one expires after the overlap."""
    settings = common.settings()
    seconds = common.duration(overlap) or 0
    from consumers.store import keys as store  # noqa: PLC0415

    engine, pepper = common.engine(settings), settings.key_pepper.encode()
    new = store.rotate_key(engine, prefix, timedelta(seconds=seconds), common.said(why), pepper)
    common.say(new, new.secret, json=json)


@app.command()
def role(  # noqa: PLR0913  # options of a command
    name: Annotated[str, typer.Argument(help="What keys and tokens call it.")],
    model: Annotated[
        list[str] | None, typer.Option(help="A model, or a pattern such as digits-*; all, unless given. Repeatable.")
    ] = None,
    operation: Annotated[list[str] | None, typer.Option(help=LOOK)] = None,
    day: Annotated[int | None, typer.Option(min=0, help="Rows that a client may ask in a day.")] = None,
    month: Annotated[int | None, typer.Option(min=0, help="Rows that a client may ask in a month.")] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it: who has no other may do nothing.")] = False,
    why: WHY = "",
    json: JSON = False,
) -> None:
    """Say what a role permits, at every gateway at once; the one called predict is there from the start."""
    settings = common.settings()
    from consumers.store import key_roles as store  # noqa: PLC0415

    if remove:
        store.remove_role(common.engine(settings), name, common.said(why))
    else:
        made = Role(role=name, models=tuple(model or ["*"]), operations=_operations(operation), day=day, month=month)
        store.put_role(common.engine(settings), made, common.said(why))
    common.say({"role": name, "removed": remove}, f"role {name} {'removed' if remove else 'in force'}", json=json)


def _operations(given: list[str] | None) -> tuple[Operation, ...]:
    unknown = set(given or ()).difference(OPERATIONS)
    if unknown:
        raise typer.BadParameter(f"--operation {unknown.pop()!r} is not one of {', '.join(OPERATIONS)}")
    return tuple(one for one in OPERATIONS if not given or one in given)


@app.command()
def roles(*, json: JSON = False) -> None:
    """List the roles that people made; beside them there is predict, which permits everything."""
    settings = common.settings()
    from consumers.store import key_roles as store  # noqa: PLC0415

    common.tell(
        store.list_roles(common.engine(settings)),
        ("role", "models", "operations", "rows a day", "rows a month"),
        lambda one: (one.role, " ".join(one.models), " ".join(one.operations), one.day, one.month),
        json=json,
    )
