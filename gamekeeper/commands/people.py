"""What people look up and decide. Every change goes to the audit log with who and why."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from detector.decision import ANY_MODEL, Action, Key, Scope
from gamekeeper.commands import common
from gamekeeper.commands.common import JSON, WHY

if TYPE_CHECKING:
    from consumers.store.reads import EpisodeLine

PANEL = "People"
CLIENT = Annotated[str, typer.Argument(help="The client; with --scope, the tenant or the address.")]
SCOPE = Annotated[Scope, typer.Option(help="What CLIENT names.")]
MODEL = Annotated[str, typer.Option(help='One model, or "*" for all.')]
FOR = Annotated[str | None, typer.Option("--for", help="How long: 90s, 30m, 4h, 7d.")]
LABELS = ("false-positive", "true-positive", "authorised-test")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (clients, episodes, show, label, block, allow, lift):
        app.command(rich_help_panel=PANEL)(command)


def clients(*, json: JSON = False) -> None:
    """List clients, those with the strongest evidence first."""
    settings = common.settings()
    from consumers.store import reads  # noqa: PLC0415

    found = reads.clients(common.engine(settings))
    names = ("client", "model", "standing", "score", "queries", "leakage", "last seen")
    common.tell(
        found,
        names,
        lambda one: (one.client, one.model, one.standing, one.score, one.queries, one.leakage, one.at),
        json=json,
    )


def episodes(
    client: Annotated[str | None, typer.Option(help="Only of this client.")] = None,
    model: Annotated[str | None, typer.Option(help="Only with this model.")] = None,
    *,
    open_: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    json: JSON = False,
) -> None:
    """List episodes, from leaving clear until returning to it: those that opened last first."""
    settings = common.settings()
    from consumers.store import reads  # noqa: PLC0415

    found = reads.episodes(common.engine(settings), client, model, only_open=open_)
    names = ("client", "model", "episode", "opened", "closed", "highest", "score")
    common.tell(found, names, _episode, json=json)


def _episode(one: "EpisodeLine") -> tuple[object, ...]:
    closed = one.closed or common.whole("open")
    return one.client, one.model, one.number, one.opened, closed, one.highest, one.score


def show(client: Annotated[str, typer.Argument(help="The client.")], *, json: JSON = False) -> None:
    """Show where a client stands and why, with the queries that speak most, and the decisions about it."""
    settings = common.settings()
    from consumers.store import reads  # noqa: PLC0415
    from gamekeeper.commands import casefile  # noqa: PLC0415

    found = reads.show(common.engine(settings), client)
    if json:
        rows = {name: [row._asdict() for row in getattr(found, name)] for name in ("decisions", "acts")}
        common.say({"standings": found.lines, "verdicts": found.verdicts, **rows}, "", json=True)
        return
    casefile.write(Console(), found)


def label(
    client: Annotated[str, typer.Argument(help="The client.")],
    what: Annotated[str, typer.Argument(help=" | ".join(LABELS))],
    why: WHY,
    model: MODEL = ANY_MODEL,
    *,
    json: JSON = False,
) -> None:
    """Say what a client turned out to be. A false positive or an authorised test is lifted too."""
    if what not in LABELS:
        raise typer.BadParameter(f"{what!r} is not one of {', '.join(LABELS)}")
    settings = common.settings()
    from consumers.store import people  # noqa: PLC0415

    about = Key(Scope.CLIENT, client, model)
    number = people.conclude(common.engine(settings), about, what, common.said(why), common.channels(settings))
    done = {"client": client, "model": model, "label": what, "feedback": number}
    common.say(done, f"{client}: {what}", json=json)


def block(  # noqa: PLR0913  # options of a command
    client: CLIENT,
    why: WHY,
    scope: SCOPE = Scope.CLIENT,
    model: MODEL = ANY_MODEL,
    until: FOR = "24h",
    *,
    json: JSON = False,
) -> None:
    """Block a client, a tenant or an address, for a time."""
    settings = common.settings()
    from consumers.store import people  # noqa: PLC0415

    order = people.Order(scope, client, model, Action.BLOCK, common.duration(until), why, common.said(why).who)
    decision = people.decide(common.engine(settings), order, common.channels(settings))
    done = f"{client}: blocked until {common.moment(decision.until)} (serial {decision.serial})"
    common.decided([decision], done, json=json)


def allow(  # noqa: PLR0913  # options of a command
    client: CLIENT,
    why: WHY,
    scope: SCOPE = Scope.CLIENT,
    model: MODEL = ANY_MODEL,
    until: FOR = None,
    *,
    json: JSON = False,
) -> None:
    """Put a client, a tenant or an address on the allowlist: it wins over every decision, at once."""
    settings = common.settings()
    from consumers.store import people  # noqa: PLC0415

    seconds = common.duration(until)
    entry = people.Entry(scope, client, model, None if seconds is None else common.after(seconds))
    made = people.allowlist_add(common.engine(settings), entry, common.said(why), common.channels(settings))
    common.decided(made, f"{client}: allowed {'for good' if seconds is None else f'for {until}'}", json=json)


def lift(
    client: CLIENT, why: WHY, scope: SCOPE = Scope.CLIENT, model: MODEL = ANY_MODEL, *, json: JSON = False
) -> None:
    """Lift what is in force; the same evidence does not bring it back. Also takes an entry off the allowlist."""
    settings = common.settings()
    from consumers.store import people  # noqa: PLC0415

    engine, said, channels = common.engine(settings), common.said(why), common.channels(settings)
    lifted = people.allowlist_remove(engine, scope, client, model, said, channels)
    lifted += people.lift(engine, scope, client, model, said, channels)
    common.decided(lifted, f"{client}: {len(lifted)} decision{'' if len(lifted) == 1 else 's'} lifted", json=json)
