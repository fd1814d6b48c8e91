"""What reports ask of the database."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from consumers.report import page
from consumers.store import cases, people, reads
from consumers.store.facts import Missing
from consumers.store.people import Said
from detector.decision import Key, Scope
from detector.standing import Standing
from tests.store.given import CHANNELS, saved, verdict

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_case_becomes_a_report(engine: Engine) -> None:
    """Labels with their reasons, and each verdict's policy; the page tells them."""
    saved(engine, verdict(Standing.CONFIRMED), scored=64)
    people.conclude(
        engine, Key(Scope.CLIENT, "thief", "digits"), "true-positive", Said("ann", "a <b>copy</b> was sold"), CHANNELS
    )
    found = cases.case(engine, "thief")
    assert [one.policy for one in found.shown.verdicts] == ["c1"]
    assert [(one.who, one.what) for one in found.feedback] == [("ann", "true-positive")]
    html = page.client("thief", found, NOON)
    assert "31 label flips in 64 near pairs" in html
    assert "a &lt;b&gt;copy&lt;/b&gt; was sold" in html
    with pytest.raises(Missing):
        cases.case(engine, "stranger")


def test_an_overview_is_of_those_who_asked(engine: Engine) -> None:
    """Who has not asked since then is left out."""
    saved(engine, verdict(Standing.CONFIRMED), scored=64)
    assert [line.client for line in reads.clients(engine, since=NOON)] == ["thief"]
    assert reads.clients(engine, since=NOON + timedelta(hours=1)) == []
