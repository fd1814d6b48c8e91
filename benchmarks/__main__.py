"""`python -m benchmarks NAME [options]`: run one benchmark and print its tables. `NAME --help` lists its options."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table

from benchmarks import (
    defences,
    detection,
    fuzz,
    gateway,
    growth,
    latency,
    leakage,
    profile,
    recovery,
    replay,
    scaling,
    serving,
    soak,
    sql,
    start,
    watermark,
    write,
)
from benchmarks.chaos import command as chaos
from benchmarks.enforcement import command as enforcement
from benchmarks.throughput import command as throughput

Result: TypeAlias = dict[str, Any]
_FILE_WIDTH = 140  # columns, where the output is no terminal that says its own


def _plain(result: Result) -> list[Table]:
    """Return one table of `result["rows"]`."""
    rows: list[dict[str, Any]] = result["rows"]
    table = Table()
    for column in rows[0]:
        table.add_column(column, justify="right" if isinstance(rows[0][column], int | float) else "left")
    for row in rows:
        table.add_row(*(_told(value) for value in row.values()))
    table.caption = result.get("note")
    return [table]


def _told(value: Any) -> str:
    if isinstance(value, float) and abs(value) < 1:
        return f"{value:.3f}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark: adds its own options, runs with them, makes tables of what it found, may call that a failure."""

    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Result]
    tables: Callable[[Result], list[Table]] = _plain
    failed: Callable[[Result], bool] = lambda _: False


REGISTRY: dict[str, Benchmark] = {
    "chaos": Benchmark(chaos.options, chaos.run, chaos.tables, chaos.failed),
    "defences": Benchmark(defences.options, defences.run, defences.tables),
    "detection": Benchmark(detection.options, detection.run, detection.tables),
    "enforcement": Benchmark(enforcement.options, enforcement.run, failed=enforcement.failed),
    "fuzz": Benchmark(fuzz.options, fuzz.run, failed=fuzz.failed),
    "gateway": Benchmark(gateway.options, gateway.run),
    "growth": Benchmark(growth.options, growth.run),
    "latency": Benchmark(latency.options, latency.run),
    "leakage": Benchmark(leakage.options, leakage.run),
    "profile": Benchmark(profile.options, profile.run),
    "recovery": Benchmark(recovery.options, recovery.run),
    "replay": Benchmark(replay.options, replay.run),
    "scaling": Benchmark(scaling.options, scaling.run),
    "serving": Benchmark(serving.options, serving.run),
    "soak": Benchmark(soak.options, soak.run, soak.tables, soak.failed),
    "sql": Benchmark(sql.options, sql.run),
    "start": Benchmark(start.options, start.run),
    "throughput": Benchmark(throughput.options, throughput.run, throughput.tables),
    "watermark": Benchmark(watermark.options, watermark.run, watermark.tables),
    "write": Benchmark(write.options, write.run),
}


def main() -> None:
    """Parse the command line, run the benchmark, print its tables and keep its result as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, benchmark in REGISTRY.items():
        own = names.add_parser(name)
        own.add_argument("--json", type=Path, metavar="OUT", help="write the result here too")
        benchmark.options(own)
    options = parser.parse_args()
    result = REGISTRY[options.name].run(options)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    console = Console()
    console = console if console.is_terminal else Console(width=_FILE_WIDTH)
    console.print(f"{options.name} ({platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()})")
    console.print(*REGISTRY[options.name].tables(result))
    if REGISTRY[options.name].failed(result):
        sys.exit(1)


if __name__ == "__main__":
    main()
