"""What people do: each act takes effect at once, under the head's lock, and leaves a line."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from consumers.store import people, reads
from consumers.store.checkpoint import claim, save
from consumers.store.facts import Checkpoint, Missing, Place
from consumers.store.people import Entry, Exempt, Order, Said
from detector.decision import Action, Key, Origin, Scope
from detector.evidence import Reading
from detector.standing import Standing
from tests.store.given import CHANNELS, count, one, rows, saved, snapshot, verdict

SAID = Said("ann", "a test")
ACTIVE = "SELECT value, model, action, origin FROM active_decisions ORDER BY value, model"


def block(engine: Engine, value: str = "thief", model: str = "*", seconds: int | None = 3600) -> int:
    """Block somebody and return the serial."""
    order = Order(Scope.CLIENT, value, model, Action.BLOCK, seconds, "caught", "ann")
    return people.decide(engine, order, CHANNELS).serial


def test_a_block_holds_and_is_delivered(engine: Engine) -> None:
    """A person's block is in force at once, owed to every channel, never shadow, and noted."""
    assert block(engine) == 1
    assert rows(engine, ACTIVE) == [("thief", "*", "block", "person")]
    assert rows(engine, "SELECT channel FROM deliveries ORDER BY 1") == [("push:edge",), ("topic",)]
    assert rows(engine, "SELECT who, what, target, why FROM audit_log") == [
        ("ann", "block", "client_id thief *", "caught")
    ]


def test_serials_grow_by_one_whoever_writes(engine: Engine) -> None:
    """Eight writers at once, people and the detector, leave serials 1, 2, 3, … without a hole or a double."""

    def write(number: int) -> None:
        if number % 2:
            block(engine, model="digits", seconds=number)
            return
        place = Place("group", "predictions", "life-1", number)
        # each a stricter hold for longer, so that it is always a new decision
        fresh = verdict(Standing.CONFIRMED, number + 1, seconds=100_000 * (number + 1), shadow=number % 4 == 0)
        save(engine, claim(engine, place), Checkpoint(next=1, verdicts=[fresh], channels=CHANNELS))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    serials = [serial for (serial,) in rows(engine, "SELECT serial FROM decisions WHERE model = 'digits' ORDER BY id")]
    assert serials == list(range(1, len(serials) + 1))
    assert len(serials) >= 12  # every person's at least
    assert one(engine, "SELECT serial FROM decision_heads WHERE model = 'digits'") == len(serials)
    owed = rows(engine, "SELECT payload FROM deliveries WHERE channel = 'topic' ORDER BY id")
    assert [json.loads(payload)["serial"] for (payload,) in owed] == serials


def test_lifting_ends_everything_of_a_client(engine: Engine) -> None:
    """One lift ends decisions of the detector and of people with all models, and resolves the alert."""
    saved(engine, verdict(Standing.CONFIRMED))
    block(engine)
    lifted = people.lift(engine, Scope.CLIENT, "thief", "*", SAID, CHANNELS)
    assert [(one.key.model, one.serial, one.action, one.origin) for one in lifted] == [
        ("*", 2, Action.ALLOW, Origin.PERSON),
        ("digits", 2, Action.ALLOW, Origin.PERSON),
    ]
    assert rows(engine, ACTIVE) == []
    assert rows(engine, "SELECT client, model, what FROM feedback") == [("thief", "*", "lift")]
    kinds = rows(engine, "SELECT payload::json ->> 'type' FROM deliveries WHERE kind = 'alert' ORDER BY id")
    assert kinds == [("extraction.confirmed",), ("extraction.resolved",)]
    assert people.lift(engine, Scope.CLIENT, "thief", "*", SAID, CHANNELS) == []
    assert one(engine, "SELECT count(*) FROM deliveries WHERE kind = 'alert'") == 2


def test_lifting_one_model_leaves_the_others(engine: Engine) -> None:
    """A lift that names a model ends that model's decision only."""
    block(engine, model="digits")
    block(engine, model="letters")
    people.lift(engine, Scope.CLIENT, "thief", "digits", SAID, CHANNELS)
    assert rows(engine, ACTIVE) == [("thief", "letters", "block", "person")]


def test_a_lifted_client_may_be_blocked_again(engine: Engine) -> None:
    """New evidence after a lift is acted upon: a lift is not an exemption."""
    saved(engine, verdict(Standing.CONFIRMED))
    people.lift(engine, Scope.CLIENT, "thief", "*", SAID, CHANNELS)
    saved(engine, verdict(Standing.CONFIRMED, 2, episode=2))
    assert rows(engine, ACTIVE) == [("thief", "digits", "block", "detector")]


def test_nobody_is_lifted_or_labelled_by_mistake(engine: Engine) -> None:
    """A name that nobody ever heard of is said to be one, and leaves nothing behind."""
    with pytest.raises(Missing, match="theif"):
        people.lift(engine, Scope.CLIENT, "theif", "*", SAID, CHANNELS)
    with pytest.raises(Missing, match="theif"):
        people.label(engine, "theif", "*", "false-positive", SAID)
    with pytest.raises(ValueError, match="guilty"):
        people.label(engine, "thief", "*", "guilty", SAID)
    assert [count(engine, name) for name in ("decision_heads", "feedback", "audit_log")] == [0, 0, 0]


def test_the_allowlist_ends_what_is_in_force(engine: Engine) -> None:
    """An entry supersedes blocks with every model in the same transaction, and people cannot block past it."""
    saved(engine, verdict(Standing.CONFIRMED))
    made = people.allowlist_add(engine, Entry(Scope.CLIENT, "thief", "*"), SAID, CHANNELS)
    assert [(one.key.model, one.origin, one.serial) for one in made] == [
        ("*", Origin.ALLOWLIST, 1),
        ("digits", Origin.ALLOWLIST, 2),
    ]
    assert {row[2] for row in rows(engine, ACTIVE)} == {"allow"}
    with pytest.raises(Exempt, match="allowlist"):
        block(engine, model="digits")
    people.allowlist_remove(engine, Scope.CLIENT, "thief", "*", SAID, CHANNELS)
    assert rows(engine, ACTIVE) == []
    assert block(engine, model="digits") == 4
    assert people.allowlist_remove(engine, Scope.CLIENT, "thief", "*", SAID, CHANNELS) == []


def test_allowing_for_a_time_ends_blocks(engine: Engine) -> None:
    """A person's allowing with every model supersedes blocks with single ones."""
    block(engine, model="digits")
    people.decide(engine, Order(Scope.CLIENT, "thief", "*", Action.ALLOW, 60, "customer called", "ann"), CHANNELS)
    assert {(row[1], row[2]) for row in rows(engine, ACTIVE)} == {("*", "allow"), ("digits", "allow")}


def test_reads_show_a_client(engine: Engine) -> None:
    """What the command line asks: the list, one client with evidence, decisions and acts, and totals."""
    saved(engine, verdict(Standing.CONFIRMED), scored=64, counted=2)
    block(engine)
    [line] = reads.clients(engine)
    assert (line.client, line.standing, line.action, line.queries) == ("thief", "confirmed", "block", 17)
    shown = reads.show(engine, "thief")
    assert [reading.because for reading in shown.verdicts[0].evidence] == ["31 label flips in 64 near pairs"]
    [example] = shown.verdicts[0].evidence[0].examples
    assert example["says"] == "query 17 lies beside query 12"
    assert example["queries"] == [
        {"query": 17, "time": "2026-11-24T12:00:00Z", "label": 3, "id": "a" * 32},
        {"query": 12, "time": "2026-11-24T11:59:59.999995Z", "label": None, "id": "b" * 32},
    ]
    assert [decision.action for decision in shown.decisions] == ["block", "block"]
    assert [act.what for act in shown.acts] == ["block"]
    assert (reads.totals(engine).scored, reads.totals(engine).standings) == (64, {"confirmed": 1})
    assert reads.counts(engine, "group", "predictions") == (64, 2, 0)
    assert [one.serial for one in reads.verdicts(engine, "digits")] == [1]
    assert reads.standings(engine, "digits") == {"thief": "confirmed"}
    assert reads.in_force(engine, "digits") == {}
    with pytest.raises(Missing):
        reads.show(engine, "stranger")


def test_who_must_not_teach_a_population(engine: Engine) -> None:
    """Who ever left clear, and whom a person calls a thief or a test; whom a person calls ordinary teaches."""
    for client in ("thief", "ordinary", "other"):
        model = "faces" if client == "other" else "digits"
        saved(
            engine, verdict(Standing.SUSPECTED, client=client, model=model), snapshots=[snapshot(client, model=model)]
        )
    for client in ("tester", "plain"):
        saved(engine, snapshots=[snapshot(client)])
    for client, what in (
        ("ordinary", "true-positive"),
        ("ordinary", "false-positive"),
        ("tester", "authorised-test"),
        ("plain", "false-positive"),
    ):
        people.label(engine, client, "*" if client == "tester" else "digits", what, SAID)
    people.lift(engine, Scope.CLIENT, "plain", "*", SAID, CHANNELS)
    digits = {
        "thief": "left-clear",
        "tester": "authorised-test",
        "ordinary": "false-positive",
        "plain": "false-positive",
    }
    assert reads.known(engine, "digits") == digits
    assert reads.known(engine, "faces") == {"other": "left-clear", "tester": "authorised-test"}


def test_what_a_label_explained_acts_in_shadow_and_alerts_nobody(engine: Engine) -> None:
    """The same evidence again is recorded only; one signal more acts as ever, and so does all after a true positive."""
    saved(engine, verdict(Standing.CONFIRMED))
    people.conclude(engine, Key(Scope.CLIENT, "thief", "*"), "false-positive", SAID, CHANNELS)
    alerts = "SELECT count(*) FROM deliveries WHERE kind = 'alert'"
    before = one(engine, alerts)
    saved(engine, verdict(Standing.CONFIRMED, 2, episode=2))
    assert rows(engine, "SELECT action, shadow FROM active_decisions WHERE action = 'block'") == [("block", True)]
    assert (one(engine, alerts), one(engine, "SELECT count(*) FROM verdicts")) == (before, 2)
    more = (Reading("line", "boundary", 12.5, "flips"), Reading("unlike", "foreign", 9.0, "noise"))
    saved(engine, verdict(Standing.CONFIRMED, 3, episode=2, evidence=more))
    assert rows(engine, "SELECT action, shadow FROM active_decisions WHERE action = 'block'") == [("block", False)]
    assert one(engine, alerts) == before + 1
    people.label(engine, "thief", "*", "true-positive", SAID)
    assert one(engine, "SELECT count(*) FROM suppressions") == 0


def test_suppression_ends(engine: Engine) -> None:
    """After its time the same evidence acts again."""
    saved(engine, verdict(Standing.CONFIRMED))
    people.conclude(engine, Key(Scope.CLIENT, "thief", "digits"), "authorised-test", SAID, CHANNELS)
    with engine.begin() as connection:
        connection.execute(text("UPDATE suppressions SET until = now()"))
    saved(engine, verdict(Standing.CONFIRMED, 2, episode=2))
    assert rows(engine, "SELECT action, shadow FROM active_decisions WHERE action = 'block'") == [("block", False)]
