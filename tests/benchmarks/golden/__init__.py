"""Golden figures of the quick study.

After a change that is meant, `python -m tests.benchmarks.golden` rewrites them.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.arena.records import Record
from benchmarks.arena.sizes import QUICK
from benchmarks.detection import study

FILE = Path(__file__).with_name("detection.json")


def studied() -> tuple[dict[str, Any], list[Record]]:
    """Run the quick study."""
    return study("digits", [0], QUICK)


def figures(result: dict[str, Any]) -> dict[str, float]:
    """Return the median queries to a block of each undisguised attack of which half or more were blocked.

    Variants are left out: the quick study has one thief of each, and one is no median.
    """
    return {
        row["attack"]: row["median_queries_to_block"]
        for row in result["attacks"]
        if row["variant"] == "pure" and 2 * row["blocked"] >= row["clients"]
    }


def held() -> dict[str, float]:
    """Return the golden figures."""
    figures: dict[str, float] = json.loads(FILE.read_text(encoding="utf-8"))
    return figures


def rewrite() -> None:
    """Run the quick study and let its figures be golden."""
    FILE.write_text(json.dumps(figures(studied()[0]), indent=2) + "\n", encoding="utf-8")
