"""Start: how long a process takes until it works at full speed, and what the gateway need not import.

Every line is a process of its own. The last one has no compiled loops from an earlier start; Python's own bytecode is
always there.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any, Final

HEAVY: Final = ("numba", "river", "sklearn", "sqlalchemy")
LINES: Final = {
    "import detector": "import detector",
    "import detector.detector": "import detector.detector",
    "import gateway.app": "import gateway.app",
    "detect: everything imported and compiled": "from consumers import detect; detect.load()",
}
COLD: Final = "the same, for the first time"
_TIMED: Final = """
import sys, time
begun = time.perf_counter()
{}
print(time.perf_counter() - begun, *(name for name in {} if name in sys.modules))
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="the first start of all is tried once")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Start each so many times."""
    rows = []
    for what, line in LINES.items():
        started(line)  # what it compiles is on the disk from here on
        rows.append(_row(what, [started(line) for _ in range(chosen.rounds)]))
    with tempfile.TemporaryDirectory() as folder:
        rows.append(_row(COLD, [started(line, {"NUMBA_CACHE_DIR": folder})]))
    return {"rows": rows, "note": f"seconds, median of {chosen.rounds} starts"}


def started(line: str, environ: dict[str, str] | None = None) -> tuple[float, str]:
    """Return the seconds that a line takes in a process of its own, and which heavy packages it loaded."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", _TIMED.format(line, HEAVY)]
    told = subprocess.run(  # noqa: S603  # our own
        command, env=inherited | (environ or {}), capture_output=True, check=True
    )
    seconds, _, heavy = told.stdout.decode().strip().partition(" ")
    return float(seconds), heavy


def _row(what: str, starts: list[tuple[float, str]]) -> dict[str, Any]:
    seconds = [one for one, _ in starts]
    return {
        "what": what,
        "seconds": f"{statistics.median(seconds):.2f}",
        "least - most": f"{min(seconds):.2f} - {max(seconds):.2f}",
        "loads": starts[0][1].replace(" ", ", "),
    }
