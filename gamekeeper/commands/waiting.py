"""What waits for a person: blocks that the detector proposes, and breakers that are open."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from gamekeeper.commands import common
from gamekeeper.commands.common import JSON, WHY

if TYPE_CHECKING:
    from sqlalchemy import Engine

proposals_app = typer.Typer(help="Proposals: blocks that wait for a person's word.", no_args_is_help=True)
breaker_app = typer.Typer(help="The circuit breaker: opens when too many would be blocked.", no_args_is_help=True)
OF = Annotated[str | None, typer.Option(help="Only of this model.")]
IDS = Annotated[list[UUID] | None, typer.Argument(help="The proposals, by id.", metavar="ID…")]


@proposals_app.command("list")
def list_(model: OF = None, *, json: JSON = False) -> None:
    """List the blocks that wait, the oldest first."""
    from consumers.store import proposals  # noqa: PLC0415

    common.tell(
        proposals.waiting(common.engine(common.settings()), model),
        ("id", "client", "model", "until", "why to block"),
        lambda one: (one.verdict, one.client, one.model, common.whole(f"{one.until:%d. %H:%M}"), one.reason),
        json=json,
    )


@proposals_app.command()
def approve(why: WHY, ids: IDS = None, model: OF = None, *, json: JSON = False) -> None:
    """Block as proposed: the ids, or everybody who waits at --model."""
    settings = common.settings()
    from consumers.store import proposals  # noqa: PLC0415
    from consumers.store.people import Exempt  # noqa: PLC0415

    engine, said, channels = common.engine(settings), common.said(why), common.channels(settings)
    for name in _named(engine, ids, model):
        try:
            made = proposals.approve(engine, name, said, channels)
        except (proposals.Over, Exempt) as error:
            if ids:
                raise
            typer.echo(str(error), err=True)
            continue
        told = f"{made.key.value}: blocked until {common.moment(made.until)} (serial {made.serial})"
        common.decided([made], told, json=json)


@proposals_app.command()
def decline(why: WHY, ids: IDS = None, model: OF = None, *, json: JSON = False) -> None:
    """Say no: the ids, or everybody who waits at --model. What holds meanwhile ends by itself; `lift` ends it now."""
    from consumers.store import proposals  # noqa: PLC0415

    engine, said = common.engine(common.settings()), common.said(why)
    for name in _named(engine, ids, model):
        line = proposals.decline(engine, name, said)
        common.say(line, f"{line.client}: not blocked", json=json)


@breaker_app.command("show")
def show(model: OF = None, *, json: JSON = False) -> None:
    """Show which breakers are open, and when they opened before."""
    from consumers.store import breaker  # noqa: PLC0415

    common.tell(
        breaker.show(common.engine(common.settings()), model),
        ("model", "opened", "closed", "by", "why it opened"),
        lambda one: (one.model, one.opened, one.closed or common.whole("open"), one.who, one.reason),
        json=json,
    )


@breaker_app.command()
def close(model: Annotated[str, typer.Argument(help="The model.")], why: WHY, *, json: JSON = False) -> None:
    """Close a model's breaker: what the detector decides is enforced again. What was proposed goes on waiting."""
    settings = common.settings()
    from consumers.store import breaker, proposals  # noqa: PLC0415

    engine = common.engine(settings)
    trip = breaker.close(engine, model, common.said(why), common.channels(settings))
    left = len(proposals.waiting(engine, model))
    common.say(trip, f"{model}: closed; {left} blocks wait (`gamekeeper proposals list --model {model}`)", json=json)


def _named(engine: "Engine", ids: list[UUID] | None, model: str | None) -> list[UUID]:
    if bool(ids) == bool(model):
        raise typer.BadParameter("name proposals by ID, or everybody's at --model NAME")
    from consumers.store import proposals  # noqa: PLC0415

    return ids or [line.verdict for line in proposals.waiting(engine, model)]
