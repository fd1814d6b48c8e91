"""What `gamekeeper show` prints: where a client stands, what is in force, and why, so that a minute is enough."""

from collections.abc import Iterator
from datetime import datetime
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from consumers.report.words import odds
from consumers.store.reads import ClientLine, ReadingLine, Shown, VerdictLine

BULLET = "· "


def write(console: Console, shown: Shown) -> None:
    """Print everything about a client: standings, decisions and verdicts, the latest first."""
    for line in shown.lines:
        _standing(console, line)
    for decision in shown.decisions:
        _say(console, 2, _decided(decision))
    for verdict in shown.verdicts:
        console.print()
        _verdict(console, verdict)


def _standing(console: Console, line: ClientLine) -> None:
    tenant = "" if line.tenant is None else f" of {line.tenant}"
    since = "" if line.since is None else f" since {_time(line.since)}"
    _say(console, 0, f"{line.client}{tenant}: {line.standing} with {line.model}{since}", "bold")
    shadow = " (shadow: not enforced)" if line.shadow else ""
    _say(console, 2, f"{_strength(line)}; the policy's answer: {line.action}{shadow}")
    _say(console, 2, f"{line.queries:,} queries, the latest {_time(line.at)}")


def _strength(line: ClientLine | VerdictLine) -> str:
    leakage = "leakage not known yet" if line.leakage is None else f"leakage {line.leakage:.2f}"
    return f"score {line.score:.2f}, {leakage}"


def _decided(decision: Any) -> str:
    shadow = ", shadow: not enforced" if decision.shadow else ""
    why = f": {decision.reason}" if decision.origin != "detector" else ""
    return f"{decision.action} until {_time(decision.until)}, by {decision.origin}{shadow}{why}"


def _verdict(console: Console, verdict: VerdictLine) -> None:
    shadow = " (shadow)" if verdict.shadow else ""
    head = f"{verdict.standing} with {verdict.model} at query {verdict.queries:,}, {_time(verdict.at)}{shadow}"
    _say(console, 0, head, "bold")
    _say(console, 2, f"{verdict.action}, {_strength(verdict)}")
    if verdict.cause != "evidence":
        _say(console, 2, verdict.reason)
    for reading in verdict.evidence:
        console.print()
        _reading(console, reading)
    _records(console, verdict)


def _reading(console: Console, reading: ReadingLine) -> None:
    _say(console, 2, f"{reading.signal}: {reading.because}")
    _say(console, 4, f"chance that an ordinary client ever comes so far: {odds(reading.value)}", "dim")
    for example in reading.examples:
        _say(console, 4, f"{BULLET}{example['says']}")


def _records(console: Console, verdict: VerdictLine) -> None:
    """List the records of the queries named above, by number."""
    found = {query["query"]: query for query in _named(verdict)}
    if not found:
        return
    table = Table("query", "time", "label", "record id", box=None, padding=(0, 1, 0, 0), header_style="dim")
    for number in sorted(found):
        query = found[number]
        label = "" if query["label"] is None else str(query["label"])
        table.add_row(str(number), query["time"], label, query["id"])
    console.print()
    console.print(Padding(table, (0, 0, 0, 2)))


def _named(verdict: VerdictLine) -> Iterator[dict[str, Any]]:
    for reading in verdict.evidence:
        for example in reading.examples:
            yield from example["queries"]


def _say(console: Console, indent: int, line: str, style: str = "") -> None:
    margin = " " * indent
    further = margin + " " * len(BULLET) * line.startswith(BULLET)
    for part in wrap(line, console.width, initial_indent=margin, subsequent_indent=further, break_long_words=False):
        console.print(Text(part, style), soft_wrap=True)


def _time(moment: datetime) -> str:
    return f"{moment:%F %T}Z"
