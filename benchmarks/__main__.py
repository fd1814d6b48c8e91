"""`python -m benchmarks NAME [--json OUT] [--plots DIR] …`: run one benchmark and print its table."""

import argparse
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import leakage, replay

REGISTRY: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "leakage": leakage.run,
    "replay": replay.run,
}


def main() -> None:
    """Parse the command line, run the benchmark, print its rows and keep them as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(REGISTRY))
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the result here too")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--floats", type=int, default=64)
    parser.add_argument("--dataset", choices=("mnist", "gtsrb", "digits"), default="digits")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write plots here")
    options = parser.parse_args()
    result = REGISTRY[options.name](options)
    _print(options.name, result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _print(name: str, result: dict[str, Any]) -> None:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    table = Table(title=f"{name} ({machine})", title_justify="left")
    rows: list[dict[str, Any]] = result["rows"]
    for column in rows[0]:
        table.add_column(column, justify="right" if isinstance(rows[0][column], int | float) else "left")
    for row in rows:
        table.add_row(*(_told(value) for value in row.values()))
    Console().print(table, result.get("note", ""))


def _told(value: Any) -> str:
    if isinstance(value, float) and abs(value) < 1:
        return f"{value:.3f}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    main()
