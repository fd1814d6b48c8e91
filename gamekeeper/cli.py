"""The command `gamekeeper`. Each group of commands is a file in `gamekeeper/commands/`, registered here.

Exit codes: 0 done, 1 failed (one line on stderr that says what and what to do), 2 wrong usage.
"""

import sys

import typer

from gamekeeper.commands import (
    channels,
    deliveries,
    doctor,
    keeping,
    keys,
    learning,
    people,
    policy,
    processes,
    reports,
    sql,
    system,
    waiting,
    watermark,
)

app = typer.Typer(
    name="gamekeeper",
    help="Tells honest clients of a machine-learning model from clients who are stealing it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for group in (system, processes, learning, people, reports, sql, keeping, doctor):
    group.register(app)
app.add_typer(keys.app, name="keys")
app.add_typer(channels.app, name="channels")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(learning.populations_app, name="populations")
app.add_typer(policy.app, name="policy")
app.add_typer(waiting.proposals_app, name="proposals")
app.add_typer(waiting.breaker_app, name="breaker")
app.add_typer(watermark.app, name="watermark")


def main() -> None:
    """Run the command line; a failure that has a name becomes one line and exit code 1."""
    try:
        app(prog_name="gamekeeper")  # also as `python -m gamekeeper`: shells complete by this name
    except Exception as error:
        from gamekeeper.failures import explain  # noqa: PLC0415  # heavy, and only needed here

        line = explain(error)
        if line is None:
            raise
        sys.stderr.write(f"gamekeeper: {line}\n")
        sys.exit(1)
