"""The checkpoint: what becomes true together, once, and what follows from a verdict."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from consumers.store import feedback, people, populations
from consumers.store.checkpoint import claim, load, save
from consumers.store.facts import Checkpoint, Missing, Place
from consumers.store.people import Entry, Order, Said
from detector.decision import Action, Scope
from detector.population import Population, dump
from detector.standing import Cause, Standing
from detector.times import parse_time
from tests.store.given import CHANNELS, NOON, PLACE, count, one, rows, saved, snapshot, verdict

SAID = Said("ann", "a test")
WRITTEN = ("verdicts", "evidence", "decisions", "decision_heads", "deliveries", "episodes", "standings", "snapshots")


def alerts(engine: Engine) -> list[dict[str, Any]]:
    """Return the bodies of all alerts owed, oldest first."""
    found = rows(engine, "SELECT payload FROM deliveries WHERE kind = 'alert' ORDER BY id")
    return [json.loads(payload) for (payload,) in found]


def decided(engine: Engine) -> list[tuple[Any, ...]]:
    """Return the decisions, oldest first."""
    return rows(engine, "SELECT value, model, serial, action, origin, shadow FROM decisions ORDER BY id")


def test_snapshots_come_back_as_they_were(engine: Engine) -> None:
    """Every field of a snapshot survives, also bytes, absences and names that no ASCII holds."""
    full = snapshot(
        "kück\t\\N \N{SNOWMAN}",
        tenant="",
        standing=Standing.SUSPECTED,
        serial=3,
        episode=2,
        expires=NOON + 5,
        leakage=0.5,
    )
    plain = snapshot("b", data=b"")
    claimed = claim(engine, PLACE)
    save(engine, claimed, Checkpoint(next=1, snapshots=[full, plain]))
    found = load(engine, "digits", [full.client, "b", "stranger"])
    assert sorted(found, key=lambda one: one.client) == [plain, full]
    assert load(engine, "letters", [full.client]) == []
    newer = snapshot("b", queries=18, data=b"new")
    save(engine, claimed, Checkpoint(next=2, snapshots=[newer]))
    assert load(engine, "digits", ["b"]) == [newer]


def test_many_snapshots_go_in_parts(engine: Engine) -> None:
    """More rows than one buffer takes all arrive."""
    many = [snapshot(f"client-{number}") for number in range(4_500)]
    save(engine, claim(engine, PLACE), Checkpoint(next=1, snapshots=many))
    assert count(engine, "snapshots") == 4_500


def test_many_verdicts_at_once_are_followed(engine: Engine) -> None:
    """As many as no list of names in a statement may hold: Postgres takes some 7,000 before its stack is full."""
    saved(engine, *(verdict(Standing.SUSPECTED, client=f"thief-{number}") for number in range(5_000)))

    assert one(engine, "SELECT count(*) FROM decision_heads WHERE decision IS NOT NULL") == 5_000


def test_a_verdict_becomes_everything_that_hangs_on_it(engine: Engine) -> None:
    """Verdict, evidence, standing, episode, decision with a delivery a channel, and one alert."""
    before = datetime.now(UTC)
    saved(engine, verdict(Standing.CONFIRMED, time=NOON))
    assert {name: count(engine, name) for name in WRITTEN} == {
        "verdicts": 1,
        "evidence": 1,
        "decisions": 1,
        "decision_heads": 2,  # the client's with the model, and with every model
        "deliveries": 3,  # the topic, the push, the webhook
        "episodes": 1,
        "standings": 1,
        "snapshots": 1,
    }
    [(payload, key)] = rows(engine, "SELECT payload, key FROM deliveries WHERE channel = 'topic'")
    wire = json.loads(payload)
    assert json.loads(key) == ["client_id", "thief", "digits"]
    assert (wire["action"], wire["serial"], wire["origin"], wire["shadow"]) == ("block", 1, "detector", False)
    until = datetime.fromtimestamp(parse_time(wire["until"]) / 1e6, UTC)
    latest = max(datetime.fromtimestamp(NOON / 1e6, UTC), before)
    assert timedelta(seconds=3600) <= until - latest < timedelta(seconds=3660)


def test_an_alert_is_a_standard_webhook(engine: Engine) -> None:
    """Type, timestamp, data; sentences that a person can read; below 20 kB whatever the detector says."""
    shouting = tuple(
        type(reading)(reading.signal, reading.kind, reading.value, "x" * 10_000)
        for reading in verdict(Standing.CONFIRMED).evidence * 50
    )
    saved(engine, verdict(Standing.CONFIRMED, evidence=shouting))
    [body] = alerts(engine)
    assert body["type"] == "extraction.confirmed"
    assert parse_time(body["timestamp"]) == NOON + 1
    data = body["data"]
    assert (data["client"], data["model"], data["tenant"], data["standing"]) == ("thief", "digits", "acme", "confirmed")
    assert (data["action"], data["atlas"], data["shadow"]) == ("block", "AML.T0024.002", False)
    assert data["episode"] == str(one(engine, "SELECT id FROM episodes"))
    assert data["until"] is not None
    assert len(json.dumps(body)) < 20_000


def test_a_decision_is_not_born_expired(engine: Engine) -> None:
    """Records read years late still give a decision that holds for its whole time from now."""
    saved(engine, verdict(Standing.CONFIRMED, time=NOON - 10 * 365 * 86_400 * 1_000_000))
    assert one(engine, "SELECT until > now() + interval '59 minutes' FROM decisions")


def test_writing_the_same_again_changes_nothing(engine: Engine) -> None:
    """Verdicts that are derived again leave one of everything, however often."""
    again = [verdict(Standing.WATCHED), verdict(Standing.CONFIRMED, 2)]
    saved(engine, *again)
    before = {name: count(engine, name) for name in WRITTEN}
    saved(engine, *again)
    saved(engine, again[1])
    assert {name: count(engine, name) for name in WRITTEN} == before


def test_standings_rise_and_each_change_is_told_once(engine: Engine) -> None:
    """Watched tells nobody; suspected, confirmed and resolved once each, under one episode."""
    saved(engine, verdict(Standing.WATCHED))
    assert (count(engine, "decisions"), alerts(engine)) == (0, [])
    saved(engine, verdict(Standing.SUSPECTED, 2), verdict(Standing.CONFIRMED, 3))
    saved(engine, verdict(Standing.CLEAR, 4, cause=Cause.EXPIRY))
    assert [body["type"] for body in alerts(engine)] == [
        "extraction.suspected",
        "extraction.confirmed",
        "extraction.resolved",
    ]
    assert len({body["data"]["episode"] for body in alerts(engine)}) == 1
    assert [row[2:4] for row in decided(engine)] == [(1, "throttle"), (2, "block"), (3, "allow")]
    kept = rows(engine, "SELECT standing, highest, verdicts, closed IS NOT NULL, alerted FROM episodes")
    assert kept == [("clear", "confirmed", 4, True, "resolved")]


def test_the_same_action_again_is_no_new_decision(engine: Engine) -> None:
    """A verdict whose action is in force at least as long adds no decision."""
    saved(engine, verdict(Standing.SUSPECTED))
    saved(engine, verdict(Standing.SUSPECTED, 2, seconds=60))
    assert len(decided(engine)) == 1


def test_shadow_decisions_are_recorded_and_delivered(engine: Engine) -> None:
    """Shadow is said in the decision and in the alert; leaving shadow is a decision of its own."""
    saved(engine, verdict(Standing.CONFIRMED, shadow=True))
    saved(engine, verdict(Standing.CONFIRMED, 2, episode=2))
    assert [row[5] for row in decided(engine)] == [True, False]
    assert [body["data"]["shadow"] for body in alerts(engine)] == [True, False]


@pytest.mark.parametrize(
    ("scope", "value", "model"),
    [
        ("client_id", "thief", "digits"),
        ("client_id", "thief", "*"),
        ("tenant", "acme", "*"),
        ("tenant", "acme", "digits"),
    ],
)
def test_the_allowlist_beats_the_detector(engine: Engine, scope: str, value: str, model: str) -> None:
    """Who is on the allowlist, by itself or by its tenant, gets a verdict and an alert, and no decision."""
    people.allowlist_add(engine, Entry(Scope(scope), value, model), SAID, CHANNELS)
    saved(engine, verdict(Standing.CONFIRMED))
    assert [row[4] for row in decided(engine)] == ["allowlist"]
    assert (count(engine, "verdicts"), [body["data"]["action"] for body in alerts(engine)]) == (1, ["allow"])


def test_another_ones_allowlist_entry_protects_nobody_else(engine: Engine) -> None:
    """An entry for another client, tenant or model leaves the block as it is; so does one that is over."""
    for entry in (
        Entry(Scope.CLIENT, "friend", "*"),
        Entry(Scope.TENANT, "other", "*"),
        Entry(Scope.CLIENT, "thief", "letters"),
        Entry(Scope.CLIENT, "thief", "*", until=1),
    ):
        people.allowlist_add(engine, entry, SAID, CHANNELS)
    saved(engine, verdict(Standing.CONFIRMED))
    assert decided(engine)[-1][3:5] == ("block", "detector")


def test_a_person_who_allows_is_not_overruled(engine: Engine) -> None:
    """While a person's allowing holds, for this model or for all, the detector decides nothing."""
    for model in ("digits", "*"):
        people.decide(engine, Order(Scope.CLIENT, f"thief of {model}", model, Action.ALLOW, 60, "", "ann"), CHANNELS)
        saved(engine, verdict(Standing.CONFIRMED, client=f"thief of {model}"))
    assert {row[4] for row in decided(engine)} == {"person"}


def test_a_person_may_be_outdone_but_not_softened(engine: Engine) -> None:
    """A person's throttle on the same model yields to a block, and not to a milder action."""
    people.decide(engine, Order(Scope.CLIENT, "thief", "digits", Action.THROTTLE, 60, "", "ann"), CHANNELS)
    saved(engine, verdict(Standing.SUSPECTED))
    assert [row[3] for row in decided(engine)] == ["throttle"]
    saved(engine, verdict(Standing.CONFIRMED, 2))
    assert [row[3] for row in decided(engine)] == ["throttle", "block"]


def test_feedback_is_heard_once_at_a_recorded_point(engine: Engine) -> None:
    """What people said is pending at the client's place until a checkpoint has heard it."""
    claimed = saved(engine, verdict(Standing.CONFIRMED))
    number = people.label(engine, "thief", "*", "false-positive", SAID)
    assert feedback.pending(engine, Place("group", "predictions", "life-1", 1)) == []
    [(pending, said)] = feedback.pending(engine, PLACE)
    assert (pending, said.client, said.model, said.what) == (number, "thief", "*", "false-positive")
    save(engine, claimed, Checkpoint(next=20, heard=[number]))
    assert feedback.pending(engine, PLACE) == []
    assert rows(engine, "SELECT topic, partition, record_offset FROM feedback") == [("predictions", 0, 20)]


def test_a_population_comes_into_force_at_an_offset(engine: Engine) -> None:
    """Kept whole, asked for by a person, in force from the checkpoint that adopts it, and known to the next owner."""
    kept = Population("digits", (8, 8), 120, 110, 9_000, 400, NOON, NOON + 1, False, {}, {}, {}, {}, ())
    [version] = populations.put(engine, dump([kept]), "ann")
    assert populations.put(engine, dump([kept]), "bob") == [version]
    assert populations.wanted(engine) == {}
    populations.use(engine, "digits", version, "ann")
    assert populations.wanted(engine) == {"digits": version}
    claimed = claim(engine, PLACE)
    save(engine, claimed, Checkpoint(next=33, adopted=[version]))
    assert claim(engine, PLACE).populations == {"digits": version}
    assert one(engine, "SELECT from_offset FROM in_force") == 33
    assert populations.get(engine, version)
    with pytest.raises(Missing):
        populations.use(engine, "digits", "nope", "ann")
    with pytest.raises(Missing):
        populations.get(engine, "nope")
    assert populations.wanted(engine) == {"digits": version}
