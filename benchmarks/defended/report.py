"""Report: the tables that people read, in markdown, from the rows that JSON holds."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any, Final, TypeAlias

from rich import box
from rich.table import Table

from benchmarks.defended.catalogue import DEFENCES, FLOOR, UNDEFENDED
from benchmarks.defended.study import TRICKED, TRIED

Rows: TypeAlias = Sequence[dict[str, Any]]
Cell: TypeAlias = tuple[str, int]
"""An attack and a budget: a column."""
_DISTANCE: Final = 0.01  # of undefended and floor, below which a share of it says nothing


def tables(found: dict[str, Any]) -> list[Table]:
    """Return every table of a run."""
    plain = [row for row in found["taken"] if not row["trick"]]
    return [
        _worth(f"{found['dataset']}: % of test inputs on which copy and model agree", plain, "agreement"),
        _worth("% of test inputs that the copy gets right", plain, "accuracy"),
        _shares(plain),
        _tricks(found["taken"]),
        _best(found["taken"]),
        _costs(found["costs"]),
        _limits(found["limits"]),
    ]


def mean(rows: Rows, what: str, **chosen: Any) -> float | None:
    """Return the mean over seeds of one member, over the rows that have these values; None where there are none."""
    values = [row[what] for row in rows if all(row[name] == value for name, value in chosen.items())]
    return fmean(values) if values else None


def cells(rows: Rows) -> list[Cell]:
    """Return the columns that the rows fill, in their order."""
    return list(dict.fromkeys((row["attack"], row["budget"]) for row in rows))


def share(rows: Rows, defence: str, cell: Cell) -> float | None:
    """Return how much of the distance from undefended to labels only a defence takes; None where that is too little.

    Where answers keep their top class it is 1 at most: a thief can always take the labels only.
    """
    attack, budget = cell
    top, floor, own = (
        mean(rows, "agreement", defence=name, attack=attack, budget=budget) for name in (UNDEFENDED, FLOOR, defence)
    )
    if top is None or floor is None or own is None or top - floor < _DISTANCE:
        return None
    taken = (top - own) / (top - floor)
    return min(taken, 1.0) if DEFENCES[defence].keeps_top else taken


def _worth(title: str, rows: Rows, what: str) -> Table:
    table = _table(title, "defence", [_column(cell) for cell in cells(rows)])
    for defence in dict.fromkeys(row["defence"] for row in rows):
        values = [mean(rows, what, defence=defence, attack=attack, budget=budget) for attack, budget in cells(rows)]
        table.add_row(defence, *(_percent(value) for value in values))
    return table


def _shares(rows: Rows) -> Table:
    title = "% of the distance from undefended to labels only (blank: the distance is below 1 point)"
    table = _table(title, "defence", [_column(cell) for cell in cells(rows)])
    for defence in dict.fromkeys(row["defence"] for row in rows):
        name = f"{defence} (beyond the floor)" if DEFENCES[defence].marks else defence
        values = [share(rows, defence, cell) for cell in cells(rows)]
        table.add_row(name, *("" if value is None else f"{100 * value:.0f}" for value in values))
    return table


def _tricks(rows: Rows) -> Table:
    own = [row for row in rows if row["attack"] == TRICKED]
    tricked = [row for row in own if row["trick"]]
    budgets = sorted({row["budget"] for row in tricked})
    title = f"{TRICKED} by thieves who know the defence: % agreement (points gained over taking answers as they are)"
    table = _table(title, "defence|trick|asked", [f"{budget:,}" for budget in budgets])
    for defence, trick in dict.fromkeys((row["defence"], row["trick"]) for row in tricked):
        held = [row for row in own if row["defence"] == defence]
        asks = next(row["asked"] / row["budget"] for row in held if row["trick"] == trick)
        gains = (_gain(held, trick, budget) for budget in budgets)
        table.add_row(defence, trick, f"{asks:.0f} x budget", *gains)
    return table


def _gain(rows: Rows, trick: str, budget: int) -> str:
    after, before = (mean(rows, "agreement", trick=name, budget=budget) for name in (trick, ""))
    return "" if after is None or before is None else f"{100 * after:.1f} ({100 * (after - before):+.1f})"


def _best(rows: Rows) -> Table:
    """Return what the best thief has who asks no more than the budget."""
    known = [row for row in rows if row["attack"] == TRICKED and row["trick"] not in TRIED]
    own = [row for row in known if row["asked"] <= row["budget"]]
    budgets = sorted({row["budget"] for row in own})
    title = f"{TRICKED} by the best of these thieves who asks no more than the budget: % agreement"
    table = _table(title, "defence", [f"{budget:,}" for budget in budgets])
    for defence in dict.fromkeys(row["defence"] for row in own):
        table.add_row(defence, *(_most([row for row in own if row["defence"] == defence], at) for at in budgets))
    return table


def _most(rows: Rows, budget: int) -> str:
    found = {row["trick"]: mean(rows, "agreement", trick=row["trick"], budget=budget) or 0.0 for row in rows}
    trick = max(found, key=lambda name: found[name])
    return f"{100 * found[trick]:.1f} ({trick or 'as served'})"


def _costs(rows: Rows) -> Table:
    numbers = ["accuracy %", "top-1 flips %", "mean L1", "calibration error", "µs a row"]
    table = _table("what it costs an honest client, and the clock", "defence", numbers)
    for name in dict.fromkeys(row["defence"] for row in rows):
        accuracy, flips, far, error, slow = (
            mean(rows, what, defence=name) or 0.0
            for what in ("accuracy", "flips", "l1", "calibration_error", "microseconds")
        )
        told = f"{100 * accuracy:.2f}", f"{100 * flips:.2f}", f"{far:.3f}", f"{error:.3f}", f"{slow:.0f}"
        table.add_row(name, *told)
    return table


def _limits(rows: Rows) -> Table:
    first, *numbers = rows[0]
    table = _table("what limits let through (arithmetic)", first, numbers)
    for row in rows:
        table.add_row(row[first], *(f"{row[name]:,.0f}" for name in numbers))
    return table


def _table(title: str, names: str, numbers: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.MARKDOWN)
    for name in names.split("|"):
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _column(cell: Cell) -> str:
    return f"{cell[0]} {cell[1]:,}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
