"""The policy: what is in force, what another would have done, how it comes into force, and the way back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console

from detector.policy import Policy, lines
from gamekeeper import brokers
from gamekeeper.commands import common, learning
from gamekeeper.commands.common import JSON, WHY

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from consumers.difference import Changed, Difference
    from consumers.store.policies import Change
    from detector.population import Population
    from gamekeeper.settings import Settings

app = typer.Typer(help="The policy: thresholds, actions, durations, shadow.", no_args_is_help=True)
FILE = Annotated[Path, typer.Argument(help="A policy file (TOML).", metavar="NEW.toml")]


@app.command()
def show(
    version: Annotated[str | None, typer.Argument(help="A version that a verdict names; else the present one.")] = None,
    *,
    json: JSON = False,
) -> None:
    """Show a policy as TOML, where it is in force, and which were wanted before."""
    settings = common.settings()
    from consumers.store import policies  # noqa: PLC0415

    engine = common.engine(settings)
    policy = _wanted(engine, settings) if version is None else policies.get(engine, version)
    there, history = policies.in_force(engine), policies.history(engine)
    places = [place for place, found in sorted(there.items()) if found == policy.version]
    if json:
        found = {"version": policy.version, "policy": policy, "in_force": places, "history": history}
        typer.echo(msgspec.json.encode(found))
        return
    typer.echo(f"# version {policy.version}, in force in {len(places)} of {len(there)} partitions")
    for change in history:
        typer.echo(f"# {change.at:%F %T}  {change.policy}  {change.who}: {change.why}")
    typer.echo("\n".join(lines(policy)))


@app.command()
def diff(
    new: FILE,
    records: Annotated[
        list[str] | None, typer.Argument(help="Past records; else the topic of predictions.", metavar="RECORDS…")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back in the topic: 90s, 30m, 4h, 7d.")] = "7d",
    population: Annotated[Path | None, typer.Option(help="A population file; else those that are wanted.")] = None,
    *,
    json: JSON = False,
) -> None:
    """Judge past records under the present policy and another, and show who would have been treated otherwise.

    Both begin at the first record: of what came before they know nothing. What a client that was refused would have
    asked next is in no record, and the breaker is left out.
    """
    settings = common.settings()
    after, seconds = common.policy(common.with_policy(settings, new)), common.duration(since) or 0
    from consumers import replay as again  # noqa: PLC0415
    from consumers.difference import differ  # noqa: PLC0415
    from consumers.store import feedback  # noqa: PLC0415

    engine = common.engine(settings)
    before, known = _wanted(engine, settings), _populations(engine, population)
    start = datetime.now(UTC) - timedelta(seconds=seconds)
    sources = records or [_topic(settings, start)]
    kafka = None if records else brokers.kafka(settings)
    with Console(stderr=True).status("judging"):
        options = again.Options(feedback.since(engine, start), kafka or brokers.named_kafka(settings))
        found = differ(sources, known, (before, after), options)
    _print_json(found, before, after) if json else _print(found, before, after)


@app.command()
def apply(new: FILE, why: WHY, *, json: JSON = False) -> None:
    """Put a policy in force in every partition, from its next checkpoint on. Nothing is restarted."""
    settings = common.settings()
    policy = common.policy(common.with_policy(settings, new))
    from consumers.store import policies  # noqa: PLC0415

    _say(policies.apply(common.engine(settings), policy, common.said(why)), json)


@app.command()
def rollback(
    why: WHY,
    version: Annotated[str | None, typer.Argument(help="To which; else the one before the present.")] = None,
    *,
    json: JSON = False,
) -> None:
    """Go back to the policy before the present one, or to any that was ever here."""
    settings = common.settings()
    from consumers.store import policies  # noqa: PLC0415

    _say(policies.rollback(common.engine(settings), common.said(why), version), json)


def _say(change: "Change", json: bool) -> None:
    common.say(change, f"{change.policy} is wanted (`gamekeeper policy show`: where it acts)", json=json)


def _wanted(engine: "Engine", settings: "Settings") -> Policy:
    """Return the policy that is wanted; before any `detect` has started that of the settings."""
    from consumers.store import policies  # noqa: PLC0415

    version = policies.wanted(engine)
    return common.policy(settings) if version is None else policies.get(engine, version)


def _populations(engine: "Engine", file: Path | None) -> "dict[str, Population]":
    if file is not None:
        return learning.populations(file)
    from consumers.store import populations  # noqa: PLC0415
    from detector.population import load  # noqa: PLC0415

    held = [load(populations.get(engine, version)) for version in populations.wanted(engine).values()]
    return {model: population for one in held for model, population in one.items()}


def _topic(settings: "Settings", start: datetime) -> str:
    from detector.topics import Topics  # noqa: PLC0415

    return f"kafka://{Topics(settings.topic_prefix).predictions}?from={start:%Y-%m-%dT%H:%M:%SZ}"


def _print(found: "Difference", before: Policy, after: Policy) -> None:
    was, would = lines(before), lines(after)
    for sign, here, there in (("-", was, would), ("+", would, was)):
        for line in (line for line in here if line not in there):
            typer.echo(f"{sign} {line}")
    common.tell(
        found.changed,
        ("client", "model", "present policy", "new policy", "at query"),
        lambda one: (one.client, one.model, one.before.word, one.after.word, _at(one)),
    )
    typer.echo(f"{found.read:,} predictions, {found.clients:,} clients, {len(found.changed):,} treated otherwise")


def _print_json(found: "Difference", before: Policy, after: Policy) -> None:
    changed: list[dict[str, Any]] = [
        {"client": one.client, "model": one.model, "before": one.before.word, "after": one.after.word, "at": _at(one)}
        for one in found.changed
    ]
    counts = {"read": found.read, "clients": found.clients}
    typer.echo(msgspec.json.encode({"before": before.version, "after": after.version, **counts, "changed": changed}))


def _at(one: "Changed") -> int:
    return max(one.before.at_query, one.after.at_query)
