"""Asking the views in SQL. The program is psql, of this machine or of the embedded Postgres."""

import os
import shutil
from typing import Annotated

import typer

from gamekeeper.commands import common
from gamekeeper.settings import environment


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(rich_help_panel="People")(sql)


def sql(
    question: Annotated[str | None, typer.Argument(help="What to ask; without it psql waits for questions.")] = None,
) -> None:
    """Ask the views in SQL, with psql, as an analyst: reads them and nothing else."""
    found = common.settings()
    from sqlalchemy.engine import make_url  # noqa: PLC0415

    from consumers.store.roles import ANALYST  # noqa: PLC0415
    from gamekeeper.embedded import postgres  # noqa: PLC0415

    url = make_url(found.need_database())
    there = url._replace(drivername="postgresql", password=None).render_as_string()  # `set` cannot take a password away
    secret = {"PGPASSWORD": url.password} if url.password else {}  # not an argument: those are seen by everybody here
    options = {"PGOPTIONS": f"-c role={ANALYST} -c search_path={found.schema}"}
    program = shutil.which("psql") or postgres.binary("psql")
    command = [program, there] if question is None else [program, there, "-c", question]
    os.execve(program, command, environment({**secret, **options}))  # noqa: S606  # no shell is wanted
