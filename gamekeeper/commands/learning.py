"""What is made of past records: a population, and verdicts reached again."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from gamekeeper import brokers
from gamekeeper.commands import common, models
from gamekeeper.commands.common import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from detector.population import Population
    from gamekeeper.settings import Settings

PANEL = "Past records"
RECORDS = typer.Argument(
    help="Files (.jsonl, .gz, .zst, .gkb) or kafka://TOPIC[?from=TIME&until=TIME].", metavar="RECORDS..."
)

populations_app = typer.Typer(help="Populations: which one is in force.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (learn, replay):
        app.command(rich_help_panel=PANEL)(command)


def learn(  # noqa: PLR0913, PLR0917  # one parameter an option of the command line
    records: Annotated[list[str], RECORDS],
    out: Annotated[Path, typer.Option(help="The population file to write.")],
    shape: Annotated[
        str | None, typer.Option(help="Shape of one input, such as 28,28,1; else that of most records.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The model itself, asked for true answers: NAME.keras, or http(s)://HOST/v1/models/NAME:predict "
            "or /v2/models/NAME/infer (with the key GAMEKEEPER_MODEL_KEY).",
            metavar="FILE|URL",
        ),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Your own data, as the model takes it: .npz, .npy or records.", metavar="DATA")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Learn of this model of the records alone.")] = None,
    *,
    database: Annotated[
        bool | None,
        typer.Option(
            help="Ask Postgres who must not teach (labels, and who ever left clear) and who is ordinary "
            "(false-positive); asked where DATABASE_URL is set. The records must be of that system."
        ),
    ] = None,
) -> None:
    """Learn what ordinary clients look like from past records, and say what that population can promise."""
    settings = common.settings()
    policy = common.policy(settings)
    from consumers import learn as learning  # noqa: PLC0415

    with models.asking(model, settings) as asking:
        options = learning.LearnOptions(
            policy=policy,
            shape=_shape(shape),
            bootstrap=brokers.named_kafka(settings),
            said=_said(settings, database),
            only=only,
            asking=asking,
            reference=reference,
        )
        learning.learn(records, out, options)


def _said(settings: "Settings", database: bool | None) -> "Callable[[str], Mapping[str, str]]":
    """Return what tells of a model's clients: the database, where there is one and nobody said otherwise."""
    if database is False or (database is None and not settings.database_url):
        return lambda _: {}
    from consumers.store import reads  # noqa: PLC0415

    engine = common.engine(settings)
    return lambda model: reads.known(engine, model)


def replay(  # noqa: PLR0913, PLR0917  # one parameter an option of the command line
    records: Annotated[list[str], RECORDS],
    verdicts: Annotated[Path, typer.Option(help="Write one JSON line a verdict here.")],
    population: Annotated[Path | None, typer.Option(help="The population file; without one nothing is scored.")] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy file (TOML); else GAMEKEEPER_POLICY.")] = None,
    clients: Annotated[Path | None, typer.Option(help="Write one JSON line a client and model here.")] = None,
    unreadable: Annotated[Path | None, typer.Option(help="Keep unreadable records here.")] = None,
    feedback: Annotated[Path | None, typer.Option(help="What people said, as JSON lines.")] = None,
) -> None:
    """Reach the verdicts of old records again. Files need no Kafka and no Postgres."""
    settings = common.settings()
    if policy is not None:
        settings = common.with_policy(settings, policy)
    wanted, known = common.policy(settings), populations(population)
    from consumers import replay as again  # noqa: PLC0415

    said = () if feedback is None else again.read_feedback(feedback)
    outputs = again.Outputs(verdicts=verdicts, clients=clients, unreadable=unreadable)
    with Console(stderr=True).status("reading") as status:

        def progress(totals: again.Totals) -> None:
            status.update(f"{totals.read:,} read, {totals.unreadable:,} unreadable")

        options = again.Options(said, brokers.named_kafka(settings), progress=progress)
        totals = again.replay(records, known, wanted, outputs, options)
    typer.echo(
        f"{totals.read:,} read, {totals.scored:,} scored, {totals.counted:,} counted only, "
        f"{totals.unreadable:,} unreadable",
        err=True,
    )


@populations_app.command()
def use(file: Annotated[Path, typer.Argument(help="A file that `learn` wrote.")], *, json: JSON = False) -> None:
    """Put a population in force, for each model in it, from every partition's next checkpoint on."""
    settings = common.settings()
    known = populations(file)
    from consumers.store import populations as store  # noqa: PLC0415

    engine, who = common.engine(settings), common.said("").who
    store.put(engine, file.read_bytes(), who)
    for model, population in known.items():
        store.use(engine, model, population.version, who)
        done = {"model": model, "version": population.version}
        said = f"{model}: {population.version} is wanted (`gamekeeper populations list`: where it acts)"
        common.say(done, said, json=json)


@populations_app.command("list")
def list_(*, json: JSON = False) -> None:
    """List the populations that were put here, which is wanted of each model, and where each is in force."""
    settings = common.settings()
    from consumers.store import populations as store  # noqa: PLC0415
    from consumers.store import reads  # noqa: PLC0415

    engine = common.engine(settings)
    lines = store.listed(engine)
    there = {model: reads.in_force(engine, model) for model in {line.model for line in lines}}
    found = [
        {**asdict(line), "in_force": sorted(at for at, (one, _) in there[line.model].items() if one == line.version)}
        for line in lines
    ]
    common.tell(found, ("model", "version", "wanted", "clients", "added", "in force in partitions"), _cells, json=json)


def _cells(one: dict[str, Any]) -> tuple[object, ...]:
    wanted = common.whole("yes" if one["wanted"] else "no")
    partitions = " ".join(map(str, one["in_force"]))
    return one["model"], common.whole(one["version"]), wanted, one["clients"], one["added"], partitions


def populations(file: Path | None) -> "dict[str, Population]":
    """Return the populations of a file by model; none without a file. Raises BadPopulation."""
    if file is None:
        return {}
    from detector.population import BadPopulation, load  # noqa: PLC0415

    try:
        return load(file.read_bytes())
    except OSError as error:
        raise BadPopulation(f"population: {file} cannot be read ({error.strerror})") from error
    except BadPopulation as error:
        raise BadPopulation(f"{file}: {error}") from error


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    sides = tuple(int(side) for side in text.split(",") if side.strip().isdigit())
    if not sides or min(sides) < 1 or len(sides) != len(text.split(",")):
        raise typer.BadParameter(f"--shape {text!r} is not whole numbers such as 28,28,1")
    return sides
