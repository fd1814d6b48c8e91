"""Golden figures of the quick study.

After a change that is meant, `python -m tests.benchmarks.golden` rewrites them.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.arena.records import OURS, Record
from benchmarks.arena.sizes import QUICK
from benchmarks.detection import study

Figures = dict[str, dict[str, float]]  # by what became of thieves, and attack
EARLY = 200  # queries, half of a life: who is caught later might as well have got away
FILE = Path(__file__).with_name("detection.json")


def studied() -> tuple[dict[str, Any], list[Record]]:
    """Run the quick study."""
    return study("digits", [0], QUICK)


def figures(records: Iterable[Record], until: float = math.inf) -> Figures:
    """Return the median queries to the suspicion and to the block of each pure attack of which nobody outlived `until`.

    Where one of the few thieves does, or nearly, it is chance who: numbers are rounded otherwise on another processor,
    and an attack that learns from answers goes another way from there on. Variants have one thief each: no median.
    """
    thieves: dict[str, list[Record]] = {}
    for record in records:
        if record.group == "attack" and record.variant == "pure" and record.judge == OURS:
            thieves.setdefault(record.kind, []).append(record)
    return {
        what: _medians({attack: [getattr(one, what) for one in held] for attack, held in thieves.items()}, until)
        for what in ("suspected", "blocked")
    }


def held() -> Figures:
    """Return the golden figures."""
    return msgspec.json.decode(FILE.read_bytes(), type=Figures)


def rewrite() -> None:
    """Run the quick study and let its figures be golden."""
    FILE.write_text(json.dumps(figures(studied()[1], EARLY), indent=2) + "\n", encoding="utf-8")


def _medians(queries: dict[str, list[int | None]], until: float) -> dict[str, float]:
    caught = {attack: [one for one in held if one is not None] for attack, held in queries.items()}
    surely = {attack: one for attack, one in caught.items() if len(one) == len(queries[attack]) and max(one) <= until}
    return {attack: float(median(one)) for attack, one in surely.items()}
