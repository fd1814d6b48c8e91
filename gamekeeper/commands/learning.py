"""What is made of past records: a population, and verdicts reached again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gamekeeper import brokers
from gamekeeper.commands import common, models

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from detector.population import Population
    from gamekeeper.settings import Settings

PANEL = "Past records"
RECORDS = typer.Argument(
    help="Files (.jsonl, .gz, .zst, .gkb) or kafka://TOPIC[?from=TIME&until=TIME].", metavar="RECORDS..."
)

population_app = typer.Typer(help="Populations: which one is in force.", no_args_is_help=True)


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
            left_out=_left_out(settings, records),
            only=only,
            asking=asking,
            reference=reference,
        )
        learning.learn(records, out, options)


def _left_out(settings: "Settings", records: list[str]) -> "Callable[[str], Collection[str]]":
    """Return who must not teach a model: known to the database, for records of the system that it belongs to."""
    if not settings.database_url or not any(source.startswith("kafka://") for source in records):
        return lambda _: ()
    from consumers.store import reads  # noqa: PLC0415

    engine = common.engine(settings)
    return lambda model: reads.not_teaching(engine, model)


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


@population_app.command()
def use(file: Annotated[Path, typer.Argument(help="A file that `learn` wrote.")]) -> None:
    """Put a population in force, for each model in it, from every partition's next checkpoint on."""
    settings = common.settings()
    known = populations(file)
    from consumers.store import populations as store  # noqa: PLC0415

    engine, who = common.engine(settings), common.said("").who
    store.put(engine, file.read_bytes(), who)
    for model, population in known.items():
        store.use(engine, model, population.version, who)
        typer.echo(f"{model}: {population.version} is wanted (`gamekeeper population list`: where it acts)")


@population_app.command("list")
def list_() -> None:
    """List the populations that are wanted, and the partitions in which they are in force."""
    settings = common.settings()
    from consumers.store import populations as store  # noqa: PLC0415
    from consumers.store import reads  # noqa: PLC0415

    engine = common.engine(settings)
    table = common.table("model", "wanted", "in force in partitions")
    for model, version in sorted(store.wanted(engine).items()):
        there = [
            str(partition)
            for partition, (found, _) in sorted(reads.in_force(engine, model).items())
            if found == version
        ]
        table.add_row(model, version, " ".join(there) or "none yet")
    common.show(table)


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
