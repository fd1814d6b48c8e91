"""`python -m benchmarks chaos`: run plans one after the other, print every difference, fail where there is any."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import traffic
from benchmarks.chaos.run import Outcome, Plan
from benchmarks.chaos.run import run as run_plan
from detector.population import Population

SHOWN = 20  # differences that are printed of each sort


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--seconds", type=float, default=120.0, help="of writing, the faults among it")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the stream and of the faults")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="so many runs, each with the next seed")
    parser.add_argument("--clients", type=int, default=2_000, metavar="N", help="with about 105 predictions each")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Run as many plans as asked for."""
    population = traffic.population()
    plans = [Plan(chosen.seed + at, chosen.seconds, chosen.clients) for at in range(chosen.runs)]
    return {"runs": [_figures(_told(_run(plan, population))) for plan in plans]}


def tables(found: dict[str, Any]) -> list[Table]:
    """Return one line a run."""
    table = Table()
    for name in found["runs"][0]:
        table.add_column(name.replace("_", " "), justify="right")
    for one in found["runs"]:
        table.add_row(*(f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" for value in one.values()))
    return [table]


def failed(found: dict[str, Any]) -> bool:
    """Tell whether anything was lost, doubled or other than a replay has it."""
    return any(one["lost"] or one["doubled"] or one["differing"] for one in found["runs"])


def _run(plan: Plan, population: Population) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="gamekeeper-chaos-") as folder:
        return run_plan(plan, population, Path(folder))


def _told(outcome: Outcome) -> Outcome:
    """Print every difference, the first of each sort in full."""
    found = outcome.differences
    for sort, words in (("lost", found.lost), ("doubled", found.doubled), ("differing", found.differing)):
        for line in words[:SHOWN]:
            print(f"seed {outcome.seed}: {sort}: {line}", file=sys.stderr)  # noqa: T201  # a command's output
        if len(words) > SHOWN:
            print(f"seed {outcome.seed}: {sort}: and {len(words) - SHOWN} more", file=sys.stderr)  # noqa: T201
    return outcome


def _figures(outcome: Outcome) -> dict[str, float]:
    return {
        "seed": outcome.seed,
        "faults": len(outcome.faults),
        "written": outcome.written,
        "lost": len(outcome.differences.lost),
        "doubled": len(outcome.differences.doubled),
        "differing": len(outcome.differences.differing),
        "longest_gap_seconds": round(outcome.longest_gap_seconds, 2),
        "recovery_seconds": round(outcome.recovery_seconds, 3),
    }
