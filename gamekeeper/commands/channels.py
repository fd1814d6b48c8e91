"""Where decisions and alerts go: what is set up, and whether it works."""

from typing import Annotated

import typer

from gamekeeper import endpoints, forms
from gamekeeper.commands import common
from gamekeeper.commands.common import JSON
from gamekeeper.settings import BadSettings

app = typer.Typer(help="Channels: where decisions and alerts go.", no_args_is_help=True)


class NotSent(RuntimeError):  # noqa: N818  # named for what it says to the operator
    """A channel that does not work; the message says why."""

    for_people = True  # the command line prints the message as it is


@app.command("list")
def list_(*, json: JSON = False) -> None:
    """List the channels that are set up, and which alerts each wants. Addresses without what may be secret."""
    settings = common.settings()
    from consumers.channels import CHANNELS  # noqa: PLC0415

    filters = {one.channel: endpoints.shown(one) for one in endpoints.of_file(settings)}
    names = ("name", "takes", "where", "filter")
    topic = ("topic", CHANNELS["topic"].takes, "Kafka", "")
    others = [
        (one.channel, CHANNELS[one.kind].takes, forms.without_path(one.url), filters.get(one.channel, ""))
        for one in endpoints.every(settings)
    ]
    common.tell(
        [dict(zip(names, one, strict=True)) for one in (topic, *others)],
        names,
        lambda one: tuple(one.values()),
        json=json,
    )


@app.command("test")
def try_(
    name: Annotated[str, typer.Argument(help="The channel's name, such as slack:soc, or soc.")], *, json: JSON = False
) -> None:
    """Send a test through a channel, marked as one: an alert, or a decision that allows nobody anything."""
    settings = common.settings()
    from consumers.channels import trial  # noqa: PLC0415
    from consumers.channels.outcome import Delivered  # noqa: PLC0415

    found = [one for one in endpoints.every(settings) if name in {one.channel, one.name}]
    if len(found) != 1:
        known = ", ".join(one.channel for one in endpoints.every(settings)) or "none"
        raise BadSettings(f"{name!r} names {len(found)} channels; there are: {known}")
    outcome = trial.send(found[0])
    if not isinstance(outcome, Delivered):
        raise NotSent(f"{found[0].channel}: not delivered: {outcome.why}; mend it and try again")
    told = f"{found[0].channel}: delivered; look for the word TEST there"
    common.say({"channel": found[0].channel, "outcome": "delivered"}, told, json=json)
