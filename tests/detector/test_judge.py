"""Judging long lives: a little above the ceilings for thousands of queries is suspected, never blocked; theft is."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from detector.clients import Table
from detector.judge import Judge, state
from detector.policy import Policy
from detector.signals import EVENTS
from detector.standing import Push
from detector.warm import _population
from detector.windows import Closed

WINDOW = 16
CEILING = 0.2
OLDEST = 384  # queries, of the population's oldest client
PAIR = ("dis", "for995")  # an event of `disagree` and one of `unlike`


def judged(rates: npt.NDArray[np.float64], tried: int = WINDOW) -> tuple[int | None, int | None]:
    """Return the windows in which a client was suspected and confirmed.

    Its events hit at these rates [windows], in `tried` of a window's queries.
    """
    ceilings = {event.name: CEILING for event in EVENTS}
    seen = replace(_population((8, 8)), ceilings=ceilings, strong={}, gated=False, oldest=OLDEST)
    judge, table = Judge(seen, Policy()), Table(WINDOW)
    slot, random = table.slot("client"), np.random.default_rng(11)
    hits = np.zeros((len(rates), len(EVENTS)), np.uint16)
    trials = np.zeros_like(hits)
    for name in PAIR:
        at = [event.name for event in EVENTS].index(name)
        hits[:, at], trials[:, at] = random.binomial(tried, rates), tried
    closed = Closed(
        slot=np.full(len(rates), slot),
        window=np.arange(len(rates)),
        row=np.arange(len(rates)),
        queries=WINDOW * np.arange(1, len(rates) + 1),
        hits=hits,
        trials=trials,
        rows=np.zeros((len(rates), 0), np.float32),
        leakage=np.full(len(rates), np.nan),
    )
    return _followed(judge, table, slot, closed)


def _followed(judge: Judge, table: Table, slot: int, closed: Closed) -> tuple[int | None, int | None]:
    first: dict[Push, int] = {}
    start, columns = 0, state(table.head, table.evidence)
    while start < len(closed):
        at, push = judge.weigh(columns, closed, np.zeros(len(closed), np.int64), start)
        if push is None:
            break
        first.setdefault(push, at)
        table.head["standing"][slot] = (Push.WATCH, Push.SUSPECT, Push.CONFIRM).index(push) + 1
        table.head["expires"][slot] = 1
        if push is Push.CONFIRM:
            assert judge.score(table.evidence, slot, 1) == 1.0
            break
        assert judge.score(table.evidence, slot, 1) < 1.0
        start = at + 1
    return first.get(Push.SUSPECT), first.get(Push.CONFIRM)


@pytest.mark.parametrize(("rate", "windows"), [(0.26, 375), (0.31, 375), (0.39, 60)])  # odds 1.4 to 2.6 times theirs
def test_a_little_above_the_ceilings_for_long_is_no_theft(rate: float, windows: int) -> None:
    """Evidence passes any bound in time; a block would rest on ceilings that not every honest kind keeps."""
    suspected, confirmed = judged(np.full(windows, rate), 6)  # new inputs are a third of what a stress tester asks
    assert suspected is not None
    assert confirmed is None


def test_blatant_from_the_start_is_blocked_as_before() -> None:
    """At sixteen times the ceiling's odds nothing holds a block up."""
    assert judged(np.full(30, 0.8))[1] == 0


def test_a_thief_who_begins_late_is_blocked() -> None:
    """Two thousand honest queries buy no more than about as many others as the population's oldest client asked."""
    honest = 125
    suspected, confirmed = judged(np.concatenate([np.full(honest, 0.15), np.full(60, 0.8)]))
    assert suspected is not None
    assert confirmed is not None
    assert 0 < (confirmed - honest + 1) * WINDOW <= OLDEST
