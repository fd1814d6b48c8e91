"""Whether the installation works, and what to do where it does not."""

from dataclasses import asdict
from typing import Any

import typer
from rich.text import Text

from gamekeeper import brokers, endpoints
from gamekeeper.commands import common
from gamekeeper.commands.common import JSON

PANEL = "System"
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(rich_help_panel=PANEL)(doctor)


def doctor(*, json: JSON = False) -> None:
    """Look at Kafka, Postgres, what was read and learnt, gateways, channels and clocks; change nothing.

    Each line is ok, warn or fail, with what to do. Exit code 1 if one fails.
    """
    settings = common.settings()
    from consumers import doctor as practice  # noqa: PLC0415
    from consumers.doctor.finding import Patient, State  # noqa: PLC0415
    from detector.topics import Topics  # noqa: PLC0415

    patient = Patient(
        kafka=brokers.kafka(settings),
        engine=common.engine(settings),
        topics=Topics(settings.topic_prefix),
        group=settings.group,
        partitions=settings.partitions,
        endpoints=endpoints.every(settings),
    )
    found = [{"check": name, **asdict(one)} for name, one in practice.examine(patient)]
    common.tell(found, ("check", "what", "state", "found", "do"), _cells, json=json)
    raise typer.Exit(int(any(one["state"] is State.FAIL for one in found)))


def _cells(one: dict[str, Any]) -> tuple[object, ...]:
    state = Text(one["state"], COLOURS[one["state"]], no_wrap=True)
    return common.whole(one["check"]), one["what"], state, common.folding(one["found"]), common.folding(one["do"])
