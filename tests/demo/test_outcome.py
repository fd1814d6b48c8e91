"""The demo's outcome and screen: what passes, what is written, and that it fits the terminal."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from gamekeeper.demo import honest, thieves
from gamekeeper.demo.clients import Kind
from gamekeeper.demo.outcome import Fate, Ledger, Outcome, quantile, sum_up
from gamekeeper.demo.screen import Screen

LEDGER = Ledger(written=30_123, read=30_123, unreadable=0, webhooks=24, replay_from="2026-01-01T00:00:00.000Z")


def _honest(kind: Kind, *, blocked: bool = False) -> Fate:
    return Fate(f"{kind.name} 1", kind, 200, blocked, "confirmed" if blocked else "clear", None, None)


def _thief(kind: Kind, *, blocked: bool) -> Fate:
    standing, queries, seconds = ("confirmed", 32, 0.4) if blocked else ("suspected", None, None)
    return Fate(f"{kind.name} 1", kind, 32, blocked, standing, queries, seconds, 0.2 if blocked else None, 0.8)


def _outcome(stopped: Sequence[bool], *, blocked: bool = False, ledger: Ledger = LEDGER) -> Outcome:
    counted = [kind for kind in thieves.KINDS if not kind.control]
    controls = [kind for kind in thieves.KINDS if kind.control]
    fates = [_honest(kind, blocked=blocked and kind is honest.KINDS[0]) for kind in honest.KINDS]
    fates += [_thief(kind, blocked=stop) for kind, stop in zip(counted, stopped, strict=True)]
    fates += [_thief(kind, blocked=False) for kind in controls]
    return sum_up(fates, ledger)


def test_five_of_six_kinds_are_enough() -> None:
    """The demo passes when no honest client is blocked, five kinds of thieves are, and all was read."""
    assert _outcome([True] * 6).passed
    assert _outcome([True] * 5 + [False]).passed
    assert not _outcome([True] * 4 + [False] * 2).passed


def test_one_blocked_honest_client_fails_it() -> None:
    """A single false block is a failure, and is said."""
    outcome = _outcome([True] * 6, blocked=True)
    assert outcome.complaints == ["1 honest clients were blocked"]


def test_one_lost_record_fails_it() -> None:
    """Written and read must be equal."""
    assert not _outcome([True] * 6, ledger=Ledger(10, 9, 0, 0, "")).passed


def test_document_has_what_was_promised() -> None:
    """The JSON has the members that others read; controls are listed and not counted."""
    document = _outcome([True] * 6).document()
    assert document["honest"] == {"clients": 8, "blocked": 0}
    assert document["thieves"] == {"clients": 6, "blocked": 6}
    assert document["seconds_to_enforce"] == {"p50": 0.4, "p99": 0.4}
    assert document["records"] == {"written": 30_123, "read": 30_123, "unreadable": 0}
    assert document["webhooks_received"] == 24
    assert {"kind", "honest", "clients", "queries", "blocked", "median_queries_to_block"} <= document["kinds"][0].keys()
    assert [line["kind"] for line in document["kinds"] if line["control"]] == ["own images"]
    assert len(document["surrogates"]) == 7


@pytest.mark.parametrize("width", [80, 120])
def test_table_fits(width: int) -> None:
    """At 80 and 120 columns no line is longer than the screen and no cell is cut."""
    text = io.StringIO()
    Screen(Console(file=text, width=width)).result(_outcome([True] * 6))
    shown = text.getvalue()
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    assert all(kind.name in shown for kind in (*honest.KINDS, *thieves.KINDS))


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.99, 4.0), (0.25, 1.0)])
def test_quantile(share: float, expected: float) -> None:
    """A quantile is a value that was seen, never below the share asked for."""
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == expected
