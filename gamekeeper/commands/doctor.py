"""Whether the installation works, and what to do where it does not."""

from dataclasses import asdict
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from gamekeeper import brokers, endpoints
from gamekeeper.commands import common

PANEL = "System"
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(rich_help_panel=PANEL)(doctor)


def doctor(*, json: Annotated[bool, typer.Option("--json", help="One JSON line each.")] = False) -> None:
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
    table = common.table("check", "what", "state", "found", "do")
    failed = False
    for name, found in practice.examine(patient):
        failed |= found.state is State.FAIL
        if json:
            typer.echo(msgspec.json.encode({"check": name, **asdict(found)}))
        table.add_row(
            name, escape(found.what), f"[{COLOURS[found.state]}]{found.state}[/]", escape(found.found), found.do
        )
    if not json:
        common.show(table)
    raise typer.Exit(int(failed))
