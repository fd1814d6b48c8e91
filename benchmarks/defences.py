"""Defences, side by side: what each leaves to a thief, what it costs honest clients, and what thieves do about it.

A thief trains a convolutional network on the answers served (probabilities where there are any) to what it asks:
images from elsewhere (knockoff), images grown from 100 of its own (jbda), own images of which its copy is least sure
(active). Agreement is with the model's undefended top class, on inputs that neither was trained on.
`--quick` takes digits, two attacks and five defences, in under a minute.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.defended import limits, report
from benchmarks.defended.cost import Cost
from benchmarks.defended.study import QUICK, Sizes, Taken
from benchmarks.defended.study import run as studied


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--dataset", choices=("digits", "mnist", "gtsrb"), default="digits")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--quick", action="store_true", help="digits, one seed, few thieves: under a minute")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write a plot here")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Study every seed and return what JSON holds."""
    dataset, seeds = ("digits", 1) if chosen.quick else (chosen.dataset, chosen.seeds)
    sizes = QUICK if chosen.quick else Sizes()
    rows = [row for seed in range(seeds) for row in studied(dataset, seed, sizes)]
    found = result(dataset, rows, sizes)
    if chosen.plots:
        from benchmarks.defended import plots  # noqa: PLC0415  # matplotlib is slow to load

        plots.draw(found, chosen.plots)
    return found


def result(dataset: str, rows: Sequence[Taken | Cost], sizes: Sizes) -> dict[str, Any]:
    """Return all rows as JSON holds them."""
    return {
        "dataset": dataset,
        "taken": [asdict(row) for row in rows if isinstance(row, Taken)],
        "costs": [asdict(row) for row in rows if isinstance(row, Cost)],
        "limits": limits.rows(sizes.budgets),
    }


def tables(found: dict[str, Any]) -> list[Table]:
    """Return the tables that people read."""
    return report.tables(found)
