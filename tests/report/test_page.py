"""Reports: complete, self-contained, sound for a screen reader, and safe from hostile names."""

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from consumers.report import page
from consumers.report.reckoning import reckon
from consumers.store.cases import Case
from consumers.store.reads import ClientLine, ReadingLine, Shown, VerdictLine
from detector.policy import Policy
from gamekeeper.commands import explained

NOON = datetime(2026, 11, 23, 12, 0, 48, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>'
EXAMPLE = {
    "says": "query 17 lies beside query 12",
    "queries": [{"query": 17, "time": "2026-11-23T12:00:00Z", "label": HOSTILE, "id": HOSTILE}],
}


def verdict(serial: int = 1, score: float = 0.4, leakage: float | None = 0.2) -> VerdictLine:
    """Return a verdict with two readings, one of which has no value."""
    evidence = (
        ReadingLine(HOSTILE, "line", 5.0, HOSTILE, [EXAMPLE]),
        ReadingLine("probe", "probe", None, "7 of 9", []),
    )
    return VerdictLine(
        id=uuid.UUID(int=serial),
        client=HOSTILE,
        model=HOSTILE,
        serial=serial,
        at=NOON,
        queries=64 * serial,
        standing="watched",
        previous="clear",
        cause="evidence",
        action="allow",
        shadow=False,
        score=score,
        leakage=leakage,
        episode=1,
        reason=HOSTILE,
        policy=Policy().version,
        evidence=evidence,
    )


def case(*verdicts: VerdictLine, version: str = "") -> Case:
    """Return a case of a hostile client, its verdicts newest first."""
    line = ClientLine(HOSTILE, HOSTILE, HOSTILE, "watched", NOON, 0.4, None, "allow", False, 1, 500, NOON, HOSTILE)
    decision = SimpleNamespace(
        serial=1, action="block", until=NOON, shadow=True, model="*", origin="person", reason=HOSTILE
    )
    act = SimpleNamespace(at=NOON, who=HOSTILE, what="block", why=HOSTILE)
    said = SimpleNamespace(said=NOON, who=HOSTILE, what="true-positive", model="*", why=HOSTILE)
    reached = [replace(one, policy=version or one.policy) for one in verdicts]
    return Case(Shown([line], reached, [decision], [act]), [said])


PAGES = {
    "client": page.client(HOSTILE, case(verdict(2), verdict(1)), Policy(), NOON),
    "bare": page.client(HOSTILE, case(), Policy(), NOON),
    "overview": page.overview(case().shown.lines, NOON, NOON),
    "nobody": page.overview([], NOON, NOON),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_safe_and_self_contained(name: str) -> None:
    """Nothing hostile comes through, and nothing is fetched."""
    html = PAGES[name]
    assert "<script" not in html
    assert not re.search(r"https?://|\bsrc=|\bhref=|url\(|@import", html)


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_sound_for_a_screen_reader(name: str) -> None:
    """A language, a title, one main and one h1; every table has a caption and scoped headers, every chart a name."""
    html = PAGES[name]
    assert '<html lang="en">' in html
    assert [html.count(tag) for tag in ("<title>", "<main>", "<h1>")] == [1, 1, 1]
    assert html.count("<table>") == html.count("<caption>") == html.count('role="region" aria-label="')
    assert not re.search(r"<th(?! scope=|ead)", html)
    assert html.count("<svg") == html.count('role="img" aria-label="')


def test_a_client_is_told_in_full() -> None:
    """The sentence, the curves, the evidence with its bound, and who did what; what is missing is said."""
    html = PAGES["client"]
    assert html.count("<polyline") == 3
    assert html.count('class="bound"') == 2
    for words in ("<strong>watched</strong>", "query 17 lies beside query 12", "shadow: not enforced", "true-positive"):
        assert words in html
    assert "What this report does not show" in html
    assert "There is no verdict" in PAGES["bare"]
    assert "No client asked since 2026-11-23" in PAGES["nobody"]


def test_no_bound_is_claimed_for_another_policy() -> None:
    """Where the verdict's policy is not the one at hand, its bounds are not known."""
    html = page.client(HOSTILE, case(verdict(), version="other"), Policy(), NOON)
    assert 'class="bound"' not in html
    assert "another policy" in html


def test_the_halves_make_the_score() -> None:
    """As in the detector: half for suspicion, half for a block."""
    how = reckon(verdict(), Policy())
    assert how.suspicion is not None
    assert how.block is not None
    assert how.suspicion + how.block == pytest.approx(0.4)
    assert reckon(verdict(score=1.0), Policy()).block == 0.5


def test_an_explanation_fits_a_terminal() -> None:
    """Each verdict, oldest first, with readings and the score's halves, in 80 columns; and why there is none."""
    told = list(explained.lines(case(verdict(2), verdict(1)), Policy()))
    text = " ".join(" ".join(told).split())
    assert max(map(len, told)) <= 80
    assert text.index("at query 64") < text.index("at query 128")
    assert "for the strongest kind" in text
    assert list(explained.lines(case(), Policy())) == ["no verdict: no window has moved this client's standing"]
    assert [row["verdict"].serial for row in explained.rows(case(verdict(2), verdict(1)), Policy())] == [1, 2]
