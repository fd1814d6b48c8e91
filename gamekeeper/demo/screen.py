"""What the demo shows: each step as it goes, and the table at the end. Looks right from 80 columns on."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gamekeeper.demo.outcome import KindLine, Outcome

Beat = Callable[[str], None]
Advance = Callable[[float, str], None]
"""Says how far a step is (0..1; 0 where nobody knows) and what is to be said of it."""


_LEGEND = (
    "copy: how often a copy trained on the answers agrees with the model, when the thief was "
    "blocked and had it not been. * control: cannot be told from honest use, not counted. "
    "The circuit breaker is set for so many thieves at once: gamekeeper/demo/policy.toml."
)


class Screen:
    """Steps on a terminal; lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:
        """Show a step while the context lasts, and leave a line: the seconds it took, and what was last said of it."""
        began = time.monotonic()
        last = ""
        with self._progress() as progress:
            task = progress.add_task(title, total=None, said="")

            def advance(share: float, text: str) -> None:
                nonlocal last
                last = text if share else ""
                progress.update(task, total=1.0 if share else None, completed=min(share, 1.0), said=text)

            yield advance
        seconds = f"{time.monotonic() - began:5.1f} s"
        self.console.print(f"[green]✓[/green] [dim]{seconds}[/dim]  {title}{_after(last)}", highlight=False)

    def _progress(self) -> Progress:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=8),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[said]}[/dim]"),
        )
        return Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)

    def result(self, outcome: Outcome) -> None:
        """Show the table by kind and what it comes to."""
        self.console.print()
        self.console.print(table(outcome.kinds))
        for line in summary(outcome):
            self.console.print(line)


def beats(advance: Advance) -> Beat:
    """Return a beat (text alone) that shows on a step of unknown length."""
    return lambda text: advance(0.0, text)


def table(kinds: Sequence[KindLine]) -> Table:
    """Return the table by kind: honest first, then thieves, then controls."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    grid.add_column("\nkind", no_wrap=True)
    for heading in ("\nclients", "\nasked"):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column("highest\nstanding", no_wrap=True)
    for heading in ("\nblocked", "queries\nto block", "s to 403\np50 p99", "copy at\nblock/end"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for group in (_honest(kinds), _thieves(kinds), _controls(kinds)):
        for line in group:
            grid.add_row(*_cells(line), end_section=line is group[-1])
    return grid


def summary(outcome: Outcome) -> list[str]:
    """Return the lines under the table."""
    kinds_stopped = f"{outcome.kinds_stopped} of {outcome.kinds_of_thieves} kinds of thieves stopped"
    verdict = "[bold green]passed[/bold green]" if outcome.passed else "[bold red]failed[/bold red]"
    speed = f"first 403 after p50 {_seconds(outcome.p50)} s, p99 {_seconds(outcome.p99)} s"
    return [
        f"[dim]{_LEGEND}[/dim]",
        f"honest clients: {outcome.honest} asked, {_count(outcome.honest_blocked)} blocked",
        f"thieves: {outcome.thieves} asked, {outcome.thieves_blocked} blocked ({kinds_stopped})",
        f"from the deciding query's answer to the {speed}",
        f"alerts received, signatures valid: {outcome.webhooks}",
        f"records: {outcome.written:,} written, {outcome.read:,} read, {outcome.unreadable:,} unreadable",
        f"{verdict}{_after('; '.join(outcome.complaints))}",
    ]


def _honest(kinds: Sequence[KindLine]) -> list[KindLine]:
    return [line for line in kinds if line.honest]


def _thieves(kinds: Sequence[KindLine]) -> list[KindLine]:
    return [line for line in kinds if not line.honest and not line.control]


def _controls(kinds: Sequence[KindLine]) -> list[KindLine]:
    return [line for line in kinds if line.control]


def _cells(line: KindLine) -> list[str]:
    name = f"{line.kind} *" if line.control else line.kind
    copy = "" if line.copy_unstopped is None else f"{_percent(line.copy_at_block)}/{_percent(line.copy_unstopped)}"
    speed = "" if line.p50 is None or line.p99 is None else f"{line.p50:.1f} {line.p99:.1f}"
    median = "" if line.median_queries is None else f"{line.median_queries:,.0f}"
    return [name, str(line.clients), f"{line.queries:,}", _standing(line), _blocked(line), median, speed, copy]


def _standing(line: KindLine) -> str:
    colour = {"clear": "green", "watched": "cyan", "suspected": "yellow", "confirmed": "red"}[line.standing]
    share = "" if line.at_standing == line.clients else f" {line.at_standing}"
    return f"[{colour}]{line.standing}[/{colour}]{share}"


def _blocked(line: KindLine) -> str:
    return _count(line.blocked) if line.honest else str(line.blocked)


def _count(blocked_honest: int) -> str:
    return f"[bold red]{blocked_honest}[/bold red]" if blocked_honest else "0"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _after(text: str) -> str:
    return f": {text}" if text else ""
