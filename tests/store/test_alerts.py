"""Alerts: one an episode. Which change is told, to whom, and that a newer one replaces what still waits."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from consumers.alert import Alert, decode
from consumers.filters import Filter, Terms
from consumers.store import chores, people
from consumers.store.alerts import due
from consumers.store.facts import Channels, moment
from consumers.store.outbox import Delivered, claim_deliveries, settle
from detector.decision import Scope
from detector.standing import Cause, Standing
from tests.store.given import NOON, one, rows, saved, verdict

LEASE = 30.0
HOOK, PAGER = "webhook:ops", "pagerduty:night"
ALL = Channels(decisions=("topic",), alerts=(HOOK, PAGER))
SAID = people.Said("ana", "a test of ours")


def told(engine: Engine) -> list[tuple[str, str, Any]]:
    """Return channel, kind and outcome of all alerts, in order."""
    found = rows(engine, "SELECT channel, payload, outcome FROM deliveries WHERE kind = 'alert' ORDER BY id")
    return [(channel, json.loads(payload)["type"].split(".")[1], outcome) for channel, payload, outcome in found]


def latest(engine: Engine) -> Alert:
    """Return the newest alert."""
    return decode(one(engine, "SELECT payload FROM deliveries WHERE kind = 'alert' ORDER BY id DESC LIMIT 1").encode())


def deliver(engine: Engine, *channels: str) -> None:
    """Deliver all that these channels are owed now."""
    for delivery in claim_deliveries(engine, 100, LEASE, channels):
        settle(engine, delivery.id, Delivered())


def wanting(**filters: Filter) -> Channels:
    """Return channels of which the webhook and the pager have these filters."""
    names = {"hook": HOOK, "pager": PAGER}
    return Channels(("topic",), (HOOK, PAGER), {names[name]: wanted for name, wanted in filters.items()})


@pytest.mark.parametrize(
    ("alerted", "standing", "cause", "told"),
    [
        (None, Standing.WATCHED, Cause.EVIDENCE, None),
        (None, Standing.WATCHED, Cause.BUDGET, "budget"),
        ("resolved", Standing.WATCHED, Cause.BUDGET, "budget"),
        ("budget", Standing.WATCHED, Cause.BUDGET, None),
        ("budget", Standing.SUSPECTED, Cause.EVIDENCE, "suspected"),
        ("budget", Standing.CLEAR, Cause.LIFT, "resolved"),
        ("suspected", Standing.CLEAR, Cause.EXPIRY, "resolved"),
        ("confirmed", Standing.SUSPECTED, Cause.EVIDENCE, None),
    ],
)
def test_each_change_is_told_once(alerted: str | None, standing: Standing, cause: Cause, told: str | None) -> None:
    """A used up budget is told like a suspicion; mere watching is not."""
    assert due(alerted, standing, cause) == told


def test_an_episode_is_opened_updated_and_resolved(engine: Engine) -> None:
    """The same episode over its life; each alert says all that is known by then, in plain words too."""
    seen = []
    for serial, standing in enumerate((Standing.SUSPECTED, Standing.CONFIRMED), start=1):
        saved(engine, verdict(standing, serial, leakage=0.1 * serial), channels=ALL)
        deliver(engine, HOOK, PAGER)
        seen.append(latest(engine))
    people.lift(engine, Scope.CLIENT, "thief", "*", SAID, ALL)
    seen.append(latest(engine))
    assert [(one.type, one.data.change, one.data.severity) for one in seen] == [
        ("extraction.suspected", "opened", "warning"),
        ("extraction.confirmed", "updated", "critical"),
        ("extraction.resolved", "resolved", "critical"),
    ]
    assert len({one.data.episode for one in seen}) == 1
    assert [one.data.action for one in seen] == ["throttle", "block", "allow"]
    assert {one.data.plain for one in seen} == {
        "It searches step by step for the exact point at which the model changes its mind."
    }
    assert {one.data.since for one in seen} == {moment(NOON + 1)}
    assert [one.data.leakage for one in seen] == [0.1, 0.2, 0.2]
    assert seen[-1].data.score == pytest.approx(0.85)  # how sure it was at its height
    assert seen[-1].data.reason == "ended by ana: a test of ours"


def test_what_still_waits_is_replaced_by_an_update(engine: Engine) -> None:
    """A channel that was away hears the newest once; one that had the first hears the update."""
    saved(engine, verdict(Standing.SUSPECTED), channels=ALL)
    deliver(engine, HOOK)
    saved(engine, verdict(Standing.CONFIRMED, 2), channels=ALL)
    assert told(engine) == [
        (HOOK, "suspected", "delivered"),
        (PAGER, "suspected", "replaced"),
        (HOOK, "confirmed", None),
        (PAGER, "confirmed", None),
    ]


def test_two_steps_in_one_checkpoint_are_one_alert(engine: Engine) -> None:
    """A thief who is confirmed within a second is told of once."""
    saved(engine, verdict(Standing.SUSPECTED), verdict(Standing.CONFIRMED, 2), channels=ALL)
    assert [kind for channel, kind, outcome in told(engine) if outcome is None] == ["confirmed", "confirmed"]


def test_the_end_replaces_nothing(engine: Engine) -> None:
    """What was never sent is told before its end is: nobody comes and goes unheard during an outage."""
    saved(engine, verdict(Standing.CONFIRMED, seconds=1), channels=ALL)
    assert chores.expire(engine, ALL, moment(NOON) + timedelta(days=3_650)) == 1
    assert [(kind, outcome) for channel, kind, outcome in told(engine) if channel == HOOK] == [
        ("confirmed", None),
        ("resolved", None),
    ]


def test_what_is_being_sent_is_not_replaced(engine: Engine) -> None:
    """A try under way ends as it ends; the update follows it."""
    saved(engine, verdict(Standing.SUSPECTED), channels=ALL)
    [sending] = claim_deliveries(engine, 1, LEASE, (HOOK,))
    saved(engine, verdict(Standing.CONFIRMED, 2), channels=ALL)
    settle(engine, sending.id, Delivered())
    assert [(kind, outcome) for channel, kind, outcome in told(engine) if channel == HOOK] == [
        ("suspected", "delivered"),
        ("confirmed", None),
    ]


def test_other_episodes_are_left_alone(engine: Engine) -> None:
    """An update concerns its own episode: another client's, or an earlier one of the same, still waits."""
    saved(engine, verdict(Standing.CONFIRMED), verdict(Standing.SUSPECTED, client="other"), channels=ALL)
    saved(engine, verdict(Standing.CONFIRMED, 2, client="other"), channels=ALL)
    saved(engine, verdict(Standing.CLEAR, 2, cause=Cause.EXPIRY), channels=ALL)
    saved(engine, verdict(Standing.SUSPECTED, 3, episode=2), verdict(Standing.CONFIRMED, 4, episode=2), channels=ALL)
    waiting = [kind for channel, kind, outcome in told(engine) if channel == HOOK and outcome is None]
    assert waiting == ["confirmed", "confirmed", "resolved", "confirmed"]


def test_a_channel_hears_what_it_wants(engine: Engine) -> None:
    """The pager is for what is critical; the end goes to whoever was told of the beginning."""
    channels = wanting(pager=Filter(only=Terms(severity=("critical",))))
    saved(engine, verdict(Standing.SUSPECTED), channels=channels)
    assert [channel for channel, _, _ in told(engine)] == [HOOK]
    people.lift(engine, Scope.CLIENT, "thief", "*", SAID, channels)
    saved(engine, verdict(Standing.CLEAR, 2, cause=Cause.LIFT), channels=channels)
    saved(engine, verdict(Standing.CONFIRMED, 3, episode=2), channels=channels)
    saved(engine, verdict(Standing.CLEAR, 4, episode=2, cause=Cause.EXPIRY), channels=channels)
    assert [(channel, kind) for channel, kind, _ in told(engine) if channel == PAGER] == [
        (PAGER, "confirmed"),
        (PAGER, "resolved"),
    ]


def test_whoever_was_told_hears_the_end(engine: Engine) -> None:
    """A channel that wants suspicions alone is not left with one that is open for ever."""
    channels = wanting(hook=Filter(only=Terms(severity=("warning",))))
    saved(engine, verdict(Standing.SUSPECTED), channels=channels)
    saved(engine, verdict(Standing.CONFIRMED, 2), channels=channels)
    saved(engine, verdict(Standing.CLEAR, 3, cause=Cause.EXPIRY), channels=channels)
    assert [kind for channel, kind, _ in told(engine) if channel == HOOK] == ["suspected", "resolved"]
    assert one(engine, "SELECT told FROM episodes") == []


@pytest.mark.parametrize(
    ("only", "never", "passes"),
    [
        ({}, {}, True),
        ({"severity": ("critical", "warning")}, {}, True),
        ({"severity": ("info",)}, {}, False),
        ({"standing": ("confirmed",), "model": ("other",)}, {}, False),
        ({"model": ("dig*",)}, {}, True),
        ({"model": ("*",)}, {"tenant": ("acme", "x")}, False),
        ({}, {"tenant": ("ac[ab]e",)}, True),
        ({"tenant": ("",)}, {}, False),
    ],
)
def test_filter(only: dict[str, Any], never: dict[str, Any], passes: bool) -> None:
    """All terms of `only` must fit, and none of `never` may; names may be patterns."""
    facts = {"severity": "critical", "standing": "confirmed", "model": "digits", "tenant": "acme"}
    assert Filter(Terms(**only), Terms(**never)).passes(facts) is passes
