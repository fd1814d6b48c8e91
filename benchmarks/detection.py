"""Detection: honest clients, thieves and published detectors on identical streams; see `arena`.

`--quick` takes digits, one seed and few clients, in under two minutes; `tests/benchmarks` runs it.
A long run can be made in pieces, a seed each (`--first SEED --seeds 1 --json OUT`), and told together (`--together`).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.arena import data, report
from benchmarks.arena.records import Record, result
from benchmarks.arena.sizes import QUICK, SMALL, Sizes
from benchmarks.arena.study import Account
from benchmarks.arena.study import run as studied


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--dataset", choices=sorted(data.SETS), default="digits")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="begin with this seed")
    parser.add_argument(
        "--together", type=Path, nargs="+", metavar="JSON", help="run nothing: tell what these runs found together"
    )
    parser.add_argument("--quick", action="store_true", help="digits, one seed, few clients: under two minutes")
    parser.add_argument("--small", action="store_true", help="a fifth of the clients, for a slow machine")
    parser.add_argument("--leave-out", action="store_true", help="also learn without each honest kind in turn (slow)")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write plots here")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Study every seed and return what JSON holds."""
    dataset = "digits" if chosen.quick else chosen.dataset
    seeds = range(chosen.first, chosen.first + (1 if chosen.quick else chosen.seeds))
    sizes = QUICK if chosen.quick else SMALL if chosen.small else Sizes()
    if chosen.together:
        found, records = together(chosen.together)
    else:
        found, records = study(dataset, seeds, sizes, leave_out=chosen.leave_out)
    if chosen.plots:
        from benchmarks.arena import plots  # noqa: PLC0415  # matplotlib is slow to load

        plots.draw(records, found, chosen.plots)
    return found


def study(
    dataset: str, seeds: Sequence[int], sizes: Sizes, *, leave_out: bool = False
) -> tuple[dict[str, Any], list[Record]]:
    """Return what JSON holds, and the records it was reckoned from."""
    account = Account()
    records = [record for seed in seeds for record in studied(dataset, seed, sizes, account, leave_out=leave_out)]
    about = {
        "dataset": dataset,
        "seeds": list(seeds),
        "microseconds_a_query": account.microseconds,
        "worlds": account.worlds,
    }
    return result(records, about), records


def together(files: Sequence[Path]) -> tuple[dict[str, Any], list[Record]]:
    """Return the same for the seeds of several runs on one data set. Raises OSError; ValueError if they do not fit."""
    runs = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    seeds = [seed for run in runs for seed in run["seeds"]]
    if len({run["dataset"] for run in runs}) > 1 or len(set(seeds)) < len(seeds):
        raise ValueError(f"{[str(file) for file in files]}: these are runs on several data sets, or share a seed")
    records = [Record(**row) for run in runs for row in run["raw"]]
    about = {
        "dataset": runs[0]["dataset"],
        "seeds": seeds,
        "microseconds_a_query": sum(run["microseconds_a_query"] for run in runs) / len(runs),
        "worlds": [world for run in runs for world in run["worlds"]],
    }
    return result(records, about), records


def tables(found: dict[str, Any]) -> list[Table]:
    """Return the tables that people read."""
    return report.tables(found)
