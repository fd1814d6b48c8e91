"""`gamekeeper learn`: past records in, a population file out, and what that population can promise on the screen.

RECORDS are read twice: first to find each model's shape (that of most of its readable records), then to learn.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from consumers import reference
from consumers.files import replacing
from consumers.records import check, read
from detector import learning
from detector.brokers import Brokers
from detector.learning import Ask, LearnError
from detector.policy import Policy
from detector.population import Population, dump
from detector.query import Queries, Shape
from detector.wire import RECORD_BYTES_MAX, RawRecord, decode, shapes_seen

HELD_NUMBERS: Final = 1 << 27  # input numbers (512 MiB) held of a model before what is too much is let go
HELD_QUERIES: Final = 4_000_000  # the same for queries without inputs
MODELS_MAX: Final = 64  # models learnt from one set of records
ASKED_AT_ONCE: Final = 1_024  # inputs: what is shown moves on this often
NAMED: Final = 5  # models named in a message


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How to learn."""

    policy: Policy = field(default_factory=Policy)
    shape: Shape | None = None  # of one input of every model in the records; None: that of most records
    bootstrap: Brokers | str | None = None  # for kafka:// sources
    said: Callable[[str], Mapping[str, str]] = lambda _: {}  # model -> what is known of its clients
    only: str | None = None  # the one model to learn of
    asking: Callable[[Shape], Ask] | None = None  # the model itself, for inputs of a shape
    reference: Path | None = None  # a sample of the owner's own data
    limit_bytes: int = RECORD_BYTES_MAX


@dataclass(slots=True)
class _Past:
    """One model's queries so far, within bounds."""

    held: list[Queries] = field(default_factory=list)
    weight: int = 0

    def add(self, queries: Queries) -> None:
        """Take a batch; when too much is held, keep what `learning.bounded` chooses."""
        numbers = 0 if queries.input is None else queries.input.size
        self.held.append(queries)
        self.weight += max(numbers, len(queries) * HELD_NUMBERS // HELD_QUERIES)
        if self.weight > 2 * HELD_NUMBERS and any(part.scored.any() for part in self.held):
            kept = learning.bounded(learning.gather(self.held)[0])
            self.held = [kept]
            self.weight = HELD_NUMBERS


def learn(sources: Sequence[str], out: Path, options: LearnOptions) -> None:
    """Write the population of each model in the records to `out`, and print what it can promise.

    The file appears whole or not at all. Raises BadSource for RECORDS that cannot be read and LearnError when
    there is nothing to learn from.
    """
    check(sources)
    with _progress() as shown:
        shapes = _shapes(sources, options, shown)
        pasts, unreadable = _gathered(sources, shapes, options, shown)
        if len(pasts) > 1 and (options.asking or options.reference):
            raise LearnError(f"--model and --reference are of one model, the records of {_named(pasts)}; say --only")
        populations, failures = _learnt(pasts, shapes, options, shown)
    if not populations:
        raise LearnError(
            "; ".join(failures) or "no readable record of any model: `gamekeeper replay --unreadable FILE` says why"
        )
    with replacing(out) as file:
        file.write(dump(populations))
    _print(populations, failures, unreadable)


def _shapes(sources: Sequence[str], options: LearnOptions, shown: Progress) -> dict[str, Shape]:
    """Return the shape of each model's input: the one stated, or that of most of its records."""
    counts: dict[str, Counter[Shape]] = {}
    for batch in _batches(sources, options, shown, "finding shapes"):
        for model, seen in shapes_seen(batch, options.limit_bytes).items():
            counts.setdefault(model, Counter()).update(seen)
    # Among equally frequent shapes the smallest: the order of records must not decide.
    usual = {model: min(seen, key=lambda shape: (-seen[shape], shape)) for model, seen in counts.items()}
    return usual if options.shape is None else dict.fromkeys(usual, options.shape)


def _gathered(
    sources: Sequence[str], shapes: dict[str, Shape], options: LearnOptions, shown: Progress
) -> tuple[dict[str, _Past], int]:
    pasts: dict[str, _Past] = {}
    unreadable = 0
    for batch in _batches(sources, options, shown, "reading records"):
        decoded = decode(batch, shapes, options.limit_bytes)
        unreadable += len(decoded.unreadable)
        for queries in decoded.queries:
            if options.only not in {None, queries.model}:
                continue
            pasts.setdefault(queries.model, _Past()).add(queries)
        if len(pasts) > MODELS_MAX:
            raise LearnError(f"more than {MODELS_MAX} models in these records; learn from the records of fewer at once")
    return pasts, unreadable


def _learnt(
    pasts: dict[str, _Past], shapes: dict[str, Shape], options: LearnOptions, shown: Progress
) -> tuple[list[Population], list[str]]:
    populations, failures = [], []
    for model in sorted(pasts):
        task = shown.add_task(model, total=1.0)

        def told(what: str, share: float, model: str = model, task: TaskID = task) -> None:
            shown.update(task, description=f"{model}: {what}", completed=share)

        shape = shapes.get(model, ())
        try:
            how = _how(model, shape, options, shown)
            populations.append(learning.learn(pasts[model].held, shape, how, told))
        except LearnError as error:
            failures.append(f"{model}: {error}")
    return populations, failures


def _how(model: str, shape: Shape, options: LearnOptions, shown: Progress) -> learning.Options:
    own = options.reference
    return learning.Options(
        policy=options.policy,
        said=options.said(model),
        ask=None if options.asking is None else _counted(options.asking(shape), shown),
        reference=None if own is None else reference.read(own, model, shape, options.limit_bytes),
    )


def _counted(ask: Ask, shown: Progress) -> Ask:
    """Return the same function, which also shows how much the model was asked."""
    task = shown.add_task("asking the model", total=None)
    asked = 0

    def counted(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        nonlocal asked
        parts = []
        for at in range(0, len(inputs), ASKED_AT_ONCE):
            parts.append(ask(inputs[at : at + ASKED_AT_ONCE]))
            asked += len(parts[-1])
            shown.update(task, description=f"asking the model: {asked:,}")
        return np.concatenate(parts)

    return counted


def _named(models: Collection[str]) -> str:
    return ", ".join(sorted(models)[:NAMED])


def _batches(sources: Sequence[str], options: LearnOptions, shown: Progress, what: str) -> Iterator[list[RawRecord]]:
    task = shown.add_task(what, total=None)
    done = 0
    for source in sources:
        for batch in read(source, options.bootstrap, limit_bytes=options.limit_bytes):
            yield batch
            done += len(batch)
            shown.update(task, description=f"{what}: {done:,}")
    shown.update(task, total=max(done, 1), completed=max(done, 1))


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def _print(populations: Sequence[Population], failures: Sequence[str], unreadable: int) -> None:
    console, errors = Console(), Console(stderr=True)
    for population in populations:
        console.print(_table(population))
    for failure in failures:
        errors.print(f"not learnt: {failure}", markup=False, highlight=False)
    if unreadable:
        errors.print(f"{unreadable:,} unreadable predictions were left out", highlight=False)


def _table(population: Population) -> Table:
    shape = "x".join(map(str, population.shape)) or "no input"
    state = "cold" if population.cold else "gated" if population.gated else "ready"
    title = Text(f"population {population.version} of {population.model} ({shape}): {state}")
    table = Table(title=title, show_header=False, box=None, padding=(0, 1, 0, 0))
    for note in population.notes:
        table.add_row("•", Text(note))  # names of clients in it are not markup
    return table
