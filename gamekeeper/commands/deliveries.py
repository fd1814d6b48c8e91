"""What is owed to channels: what waits, what was given up and why, and having that sent again."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from gamekeeper.commands import common
from gamekeeper.commands.common import JSON

app = typer.Typer(help="Deliveries: decisions and alerts on their way out.", no_args_is_help=True)
OUTCOMES = ("waiting", "delivered", "given-up", "replaced")
CHANNEL = Annotated[str | None, typer.Option(help="Only of this channel, such as webhook:ops.")]


@app.command("list")
def list_(
    channel: CHANNEL = None,
    outcome: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(OUTCOMES)}.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was owed in the last 90s, 30m, 4h, 7d.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 100,
    *,
    json: JSON = False,
) -> None:
    """List deliveries, the newest first: what became of each, and why not."""
    if outcome is not None and outcome not in OUTCOMES:
        raise typer.BadParameter(f"{outcome!r} is not one of {', '.join(OUTCOMES)}")
    seconds, settings = common.duration(since), common.settings()
    from consumers.store import deliveries as store  # noqa: PLC0415

    after = None if seconds is None else datetime.now(UTC) - timedelta(seconds=seconds)
    lines = store.listed(common.engine(settings), store.Wanted(channel, outcome, after, limit))
    common.tell(
        lines,
        ("id", "outcome", "tries", "channel", "about", "owed since", "why"),
        lambda one: (
            common.whole(str(one.id)),
            common.whole(one.outcome),
            one.attempts,
            one.channel,
            one.key,
            one.made,
            one.why,
        ),
        json=json,
    )


@app.command()
def resend(
    ids: Annotated[list[int] | None, typer.Argument(help="The deliveries, by id.", metavar="ID…")] = None,
    channel: CHANNEL = None,
    *,
    given_up: Annotated[bool, typer.Option("--given-up", help="All that were given up of --channel.")] = False,
    why: Annotated[str, typer.Option(help="Goes to the audit log.")] = "",
    json: JSON = False,
) -> None:
    """Send again what was given up, under the same webhook-id: the ids, or everything of --channel with --given-up."""
    if bool(ids) == bool(channel and given_up) or bool(channel) != given_up:
        raise typer.BadParameter("name deliveries by ID, or --channel NAME together with --given-up")
    settings = common.settings()
    from consumers.store import deliveries as store  # noqa: PLC0415

    engine, said = common.engine(settings), common.said(why)
    again = store.resend(engine, ids, said) if ids else store.resend_given_up(engine, channel or "", said)
    common.say({"owed_again": again}, f"{len(again)} owed again", json=json)
