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
POLICIES = {one.version: one for one in (Policy(), Policy(alpha=0.01))}


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
    return Case(Shown([line], reached, [decision], [act]), [said], POLICIES)


PAGES = {
    "client": page.client(HOSTILE, case(verdict(2), verdict(1)), NOON),
    "bare": page.client(HOSTILE, case(), NOON),
    "looked": page.client(HOSTILE, case(verdict()), NOON, {}),
    "overview": page.overview(case().shown.lines, NOON, NOON),
    "nobody": page.overview([], NOON, NOON),
}


def sound(html: str) -> None:
    """Check what every page must keep: it is safe, fetches nothing, and tells a screen reader what is where."""
    assert "<script" not in html
    assert not re.search(r'https?://|\bsrc="(?!data:image/png;base64,)|\bhref=|url\(|@import|\bstyle=', html)
    assert '<html lang="en">' in html
    assert [html.count(tag) for tag in ("<title>", "<main>", "<h1>")] == [1, 1, 1]
    assert html.count("<table>") == html.count("<caption>") == html.count('role="region" aria-label="')
    assert not re.search(r"<th(?! scope=|ead)", html)
    assert html.count("<svg") == html.count('role="img" aria-label="')
    assert html.count("<img") == html.count(' alt="')


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_sound(name: str) -> None:
    """Nothing hostile comes through, nothing is fetched; headings, captions and names are where they must be."""
    sound(PAGES[name])


def test_a_client_is_told_in_full() -> None:
    """The sentence, the curves, the evidence with its bound, and who did what; what is missing is said."""
    html = PAGES["client"]
    assert html.count("<polyline") == 3
    assert html.count('class="bound"') == 4  # of two verdicts' bars, and two of the score
    for words in ("<strong>watched</strong>", "query 17 lies beside query 12", "shadow: not enforced", "true-positive"):
        assert words in html
    assert "There is no map and no comparison: the detector" in html
    assert "There is no verdict" in PAGES["bare"]
    assert "No client asked since 2026-11-23" in PAGES["nobody"]


def test_the_first_sentence_tells_what_matters() -> None:
    """Who, which model, since when, how sure, what was done, how much is gone."""
    line = ClientLine("key_7", "digits", "acme", "suspected", NOON, 0.6, 0.31, "block", False, 1, 500, NOON, None)
    reached = replace(verdict(), model="digits", evidence=(ReadingLine("line", "line", 25.0, "so", []),))
    decision = SimpleNamespace(
        serial=1,
        action="throttle",
        until=NOON.replace(hour=16),
        shadow=False,
        model="digits",
        origin="detector",
        reason="",
    )
    html = page.client("key_7", Case(Shown([line], [reached], [decision], []), []), NOON)
    assert (
        "key_7 of acme is <strong>suspected</strong> of stealing the model digits since 2026-11-23 12:00:48Z; "
        "a client like the ordinary ones gets so far at most 1 in 7 billion times (score 0.60 of 1); it is slowed "
        "down, with coarser answers until 2026-11-23 16:00:48Z, by decision of the detector; it can imitate "
        "about 31% of the model&#39;s answers to ordinary questions.</p>"
    ) in html


def test_what_does_not_hold_is_not_said_to_hold() -> None:
    """A decision in shadow blocks nobody; a client that is cleared begins at a score of 0."""
    assert "it would be blocked until" in PAGES["client"]
    assert "by decision of a person, but that is in shadow: it is not enforced" in PAGES["client"]
    cleared = replace(verdict(2), standing="clear", previous="watched")
    html = page.client(HOSTILE, case(cleared, verdict(1)), NOON)
    assert 'aria-label="Score: 0.40 at query 64, 0.40 at query 128, 0.00 at query 128.' in html


def test_inputs_are_told_of() -> None:
    """Without records: how to get them, from the time of the first query named. With records: what was not found."""
    assert "--records &#39;kafka://predictions?from=2026-11-23T12:00:00Z&#39;" in PAGES["client"]
    assert "Of 1 queries named here, 0 were found" in PAGES["looked"]
    assert "No query is named here" in PAGES["bare"]


def test_each_verdict_is_held_against_its_own_policy() -> None:
    """Bounds are those of the policy that the verdict names; of one that is not stored none are drawn."""
    lax = page.client(HOSTILE, case(verdict(), version=Policy(alpha=0.01).version), NOON)
    assert "The broken line: 7.6, " in lax
    assert "The broken line: 9.9, " in PAGES["client"]
    html = page.client(HOSTILE, case(verdict(), version="gone"), NOON)
    assert "The broken line: " not in html
    assert "the policy that it was reached under, gone, is not stored" in html
    told = " ".join(" ".join(explained.lines(case(verdict(), version="gone"))).split())
    assert "the policy that it was reached under is not stored here" in told


def test_the_halves_make_the_score() -> None:
    """As in the detector: half for suspicion, half for a block."""
    how = reckon(verdict(), Policy())
    assert how.suspicion is not None
    assert how.block is not None
    assert how.suspicion + how.block == pytest.approx(0.4)
    assert reckon(verdict(score=1.0), Policy()).block == 0.5


def test_an_explanation_fits_a_terminal() -> None:
    """Each verdict, oldest first, with readings and the score's halves, in 80 columns; and why there is none."""
    told = list(explained.lines(case(verdict(2), verdict(1))))
    text = " ".join(" ".join(told).split())
    assert max(map(len, told)) <= 80
    assert text.index("at query 64") < text.index("at query 128")
    assert "for the strongest kind" in text
    assert list(explained.lines(case())) == ["no verdict: no window has moved this client's standing"]
    assert [row["verdict"].serial for row in explained.rows(case(verdict(2), verdict(1)))] == [1, 2]
