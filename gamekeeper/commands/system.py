"""The whole system on this machine, and what prepares and describes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gamekeeper import brokers
from gamekeeper.commands import common
from gamekeeper.commands.common import JSON
from gamekeeper.settings import Settings
from gamekeeper.shown import values

PANEL = "System"
VISIT_SECONDS = 3_600  # at most, and as long as the keys of visitors are valid


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (demo, up, visit, topics, migrate, settings, warm):
        app.command(rich_help_panel=PANEL)(command)


def demo(
    seconds: Annotated[int, typer.Option(min=20, max=3600, help="How long honest clients and thieves ask.")] = 60,
    json: Annotated[Path | None, typer.Option(help="Write the outcome here too.")] = None,
) -> None:
    """Show the whole system on this machine, on real data, with honest clients and thieves. Ends by itself.

    Exit code 0 only if no honest client was blocked, the thieves were, and every record written was read.
    """
    found = common.settings()
    from gamekeeper.demo import run  # noqa: PLC0415

    raise typer.Exit(run.run(found, seconds, json))


def up(
    data: Annotated[Path | None, typer.Option(help="Folder that holds everything (default: GAMEKEEPER_DATA).")] = None,
    endpoints: Annotated[Path | None, typer.Option(help="Write here, when all is ready, where everything is.")] = None,
) -> None:
    """Run the whole system on this machine until Ctrl-C; a process that dies is started again."""
    found = common.settings()
    from gamekeeper import up as whole  # noqa: PLC0415

    whole.run(found, data or found.data, endpoints)


def visit(
    thief: Annotated[str, typer.Option(help="What the thief does, such as jacobian: docs/demo.md.")] = "bisection",
    seconds: Annotated[int, typer.Option(min=10, max=VISIT_SECONDS, help="How long they ask.")] = 30,
    *,
    json: JSON = False,
) -> None:
    """Let honest clients and a thief ask the model of a running `up`, and say who was who. Ends by itself."""
    found = common.settings()
    from gamekeeper.demo import visit as visits  # noqa: PLC0415

    kind = visits.THIEVES.get(thief)
    if kind is None:
        raise typer.BadParameter(f"--thief {thief!r} is not one of {', '.join(visits.THIEVES)}")
    url = f"{found.need_up('gateway')}/v1/models/{found.need_up('model')}:predict"
    common.tell(
        visits.run(url, lambda clients: _keys(found, clients), kind, seconds),
        ("client", "was", "asked", "blocked"),
        lambda one: (one.client, f"{'honest' if one.honest else 'thief'}: {one.kind}", one.asked, _yes(one.blocked)),
        json=json,
    )


def _keys(found: Settings, clients: Sequence[str]) -> Mapping[str, str]:
    """Return a new key for each visitor, which nobody needs for long."""
    from consumers.store import keys  # noqa: PLC0415

    engine, pepper = common.engine(found), found.key_pepper.encode()
    holders = [keys.Holder(client, expires=common.after(VISIT_SECONDS)) for client in clients]
    said = common.said("gamekeeper visit")
    return {holder.client: keys.add_client_key(engine, holder, said, pepper).secret for holder in holders}


def _yes(told: bool) -> str:
    return "yes" if told else "no"


def topics(*, json: JSON = False) -> None:
    """Make the Kafka topics with the right settings, and check those that are there."""
    found = common.settings()
    from consumers import topics as kafka_topics  # noqa: PLC0415

    states = kafka_topics.ensure(brokers.kafka(found), found.partitions, found.topic_prefix)
    common.tell(
        states,
        ("topic", "partitions", "made now", "differs"),
        lambda one: (one.name, one.partitions, _yes(one.created), "; ".join(one.differences)),
        json=json,
    )
    if any(state.differences for state in states):
        raise typer.Exit(1)


def migrate(*, json: JSON = False) -> None:
    """Bring the Postgres schema to the newest version. Safe to run twice, and at once."""
    found = common.settings()
    from consumers.store.migrate import newest, upgrade  # noqa: PLC0415

    notes = upgrade(found.need_database(), found.schema)
    done = {"schema": found.schema, "version": newest(), "notes": notes}
    common.say(done, "\n".join((*notes, f"schema {found.schema} is at {newest()}")), json=json)


def settings(*, json: JSON = False) -> None:
    """List every setting with its value and where that came from. Secrets are hidden."""
    common.tell(
        values(),
        ("setting", "value", "from", "meaning"),
        lambda one: (common.whole(one.name), one.shown, common.whole(one.origin), common.folding(one.meaning)),
        json=json,
    )


def warm() -> None:
    """Compile the detector's kernels into the cache on disk, so that `detect` starts at full speed."""
    from consumers import detect  # noqa: PLC0415

    detect.load()
    typer.echo("kernels are compiled")
