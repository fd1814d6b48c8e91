"""What `gamekeeper explain` prints: every verdict's readings, and how its score came about."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from consumers.report.reckoning import Reckoning, reckon
from consumers.report.words import odds
from consumers.store.cases import Case
from consumers.store.reads import VerdictLine

COLUMNS = 80


def lines(case: Case) -> Iterator[str]:
    """Give the lines, none wider than 80 columns; the oldest verdict first."""
    if not case.shown.verdicts:
        yield "no verdict: no window has moved this client's standing"
    for verdict in reversed(case.shown.verdicts):
        for indent, said in _verdict(verdict, reckon(verdict, case.policies.get(verdict.policy))):
            margin = " " * indent
            yield from wrap(said, COLUMNS, initial_indent=margin, subsequent_indent=margin + "  ")


def rows(case: Case) -> Iterator[dict[str, Any]]:
    """Give each verdict as what `--json` prints, the oldest first. Bounds and readings are in nats."""
    for verdict in reversed(case.shown.verdicts):
        yield {
            "verdict": verdict,
            "policy": verdict.policy,
            "reckoning": reckon(verdict, case.policies.get(verdict.policy)),
        }


def _verdict(verdict: VerdictLine, how: Reckoning) -> Iterator[tuple[int, str]]:
    yield 0, f"{verdict.previous} -> {verdict.standing} with {verdict.model} at query {verdict.queries:,}"
    yield 2, f"{verdict.at:%F %T}Z, episode {verdict.episode}, because of {verdict.cause}: {verdict.action}"
    for reading in verdict.evidence:
        nats = "not known" if reading.value is None else f"{reading.value:.1f} nats"
        yield 2, f"{reading.signal}: {nats} (an ordinary client ever: {odds(reading.value)})"
        yield 4, reading.because
    yield 2, f"score {verdict.score:.2f}: {_score(how)}"


def _score(how: Reckoning) -> str:
    if how.bounds is None:
        return "its halves are not known: the policy that it was reached under is not stored here"
    if how.suspicion is None or how.block is None:
        return "no reading is kept that it was made of"
    return (
        f"{how.suspicion:.2f} for the strongest kind (suspected at {how.bounds.one:.1f} nats) and {how.block:.2f} for"
        f" the way to a block (a pair of kinds at {how.bounds.pair:.1f} each, or a strong mechanism at"
        f" {how.bounds.strong:.1f})"
    )
