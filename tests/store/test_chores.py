"""Chores that time drives: ends, tombstones, partitions; and what gateways and policies leave."""

import json
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine, text

from consumers.store import chores, gateways, people, policies
from consumers.store.checkpoint import claim, save
from consumers.store.facts import Checkpoint
from consumers.store.outbox import Delivered, claim_deliveries, settle
from consumers.store.people import Entry, Order, Said
from detector.decision import Action, Scope
from detector.policy import Policy
from detector.records import Applied, GatewayStatus, encode_gateway_status
from detector.standing import Standing
from detector.wire import Unreadable
from tests.store.given import CHANNELS, PLACE, one, rows, saved, verdict

SAID = Said("ann", "a test")
DAY = timedelta(days=1)
CHANGES = "SELECT payload::json ->> 'type' FROM deliveries WHERE kind = 'alert' ORDER BY id"


def later(engine: Engine, **ahead: float) -> datetime:
    """Return a time after the one decision's end."""
    until: datetime = one(engine, "SELECT max(until) FROM decisions")
    return until + timedelta(**ahead)


def test_a_decision_ends_by_the_clock_once(engine: Engine) -> None:
    """After its end a block is noticed once, and its episode told to be resolved once."""
    saved(engine, verdict(Standing.CONFIRMED))
    assert chores.expire(engine, CHANNELS) == 0
    assert chores.expire(engine, CHANNELS, later(engine, seconds=-1)) == 0
    assert chores.expire(engine, CHANNELS, later(engine, seconds=1)) == 1
    assert chores.expire(engine, CHANNELS, later(engine, seconds=2)) == 0
    assert rows(engine, CHANGES) == [("extraction.confirmed",), ("extraction.resolved",)]


def test_what_the_clock_resolved_the_detector_does_not_resolve_again(engine: Engine) -> None:
    """When the client comes back after its block's end, its return to clear is no second alert; a new block is one."""
    saved(engine, verdict(Standing.CONFIRMED))
    chores.expire(engine, CHANNELS, later(engine, seconds=1))
    saved(engine, verdict(Standing.CLEAR, 2))
    assert rows(engine, CHANGES) == [("extraction.confirmed",), ("extraction.resolved",)]
    saved(engine, verdict(Standing.CONFIRMED, 3, episode=2))
    assert rows(engine, CHANGES)[2:] == [("extraction.confirmed",)]


def test_a_newer_decision_is_not_ended_with_the_older(engine: Engine) -> None:
    """Only the head of a key ends; what it superseded does not count."""
    saved(engine, verdict(Standing.SUSPECTED))
    end = later(engine, seconds=1)
    saved(engine, verdict(Standing.CONFIRMED, 2, seconds=86_400))
    assert chores.expire(engine, CHANNELS, end) == 0


def test_the_topic_forgets_keys_long_gone(engine: Engine) -> None:
    """A week after its end a key gets one tombstone; its serials go on when it is decided upon again."""
    order = Order(Scope.CLIENT, "thief", "*", Action.BLOCK, 60, "", "ann")
    people.decide(engine, order, CHANNELS)
    people.allowlist_add(engine, Entry(Scope.CLIENT, "friend", "*"), SAID, CHANNELS)
    week = datetime.now(UTC) + 7 * DAY
    assert chores.tombstones(engine, CHANNELS) == 0
    assert chores.tombstones(engine, CHANNELS, week + DAY) == 1
    assert chores.tombstones(engine, CHANNELS, week + 2 * DAY) == 0
    for delivery in claim_deliveries(engine, 10, 30.0, ("topic",)):
        settle(engine, delivery.id, Delivered())
    [tombstone] = claim_deliveries(engine, 10, 30.0, ("topic",))
    assert (tombstone.kind, tombstone.payload, tombstone.key) == ("tombstone", None, b'["client_id","thief","*"]')
    assert people.decide(engine, order, CHANNELS).serial == 2


def test_partitions_are_made_ahead_and_take_their_rows_along(engine: Engine) -> None:
    """Days ahead get partitions once, and rows that came before their partition move into it."""
    day = date(2031, 5, 7)
    noon = datetime(2031, 5, 7, 12, tzinfo=UTC)
    micros = int(noon.timestamp()) * 1_000_000
    saved(
        engine, verdict(Standing.CONFIRMED, time=micros), verdict(Standing.CLEAR, 2, time=micros + 2 * 86_400_000_000)
    )
    made = chores.partitions_ahead(engine, 1, day)
    assert made == [f"{table}_2031050{number}" for table in ("verdicts", "evidence") for number in (6, 7, 8)]
    assert chores.partitions_ahead(engine, 1, day) == []
    assert rows(engine, "SELECT tableoid::regclass::text FROM verdicts ORDER BY serial") == [
        ("verdicts_20310507",),
        ("verdicts_default",),
    ]
    saved(engine, verdict(Standing.CONFIRMED, time=micros))  # derived again: found in the partition
    assert one(engine, "SELECT count(*) FROM verdicts") == 2
    with engine.begin() as connection:
        for name in made:
            connection.execute(text("SELECT 1 FROM pg_class WHERE relname = :name"), {"name": name}).one()


def test_the_last_word_of_a_gateway_is_kept(engine: Engine) -> None:
    """A gateway's newest status stands; an older or unreadable one changes nothing."""
    newer = GatewayStatus(gateway="edge", time="2026-11-24T12:00:01Z", applied=Applied(412, 7), decisions=3, dropped=1)
    older = GatewayStatus(gateway="edge", time="2026-11-24T12:00:00Z")
    assert gateways.heard(engine, encode_gateway_status(newer))
    assert gateways.heard(engine, encode_gateway_status(older))
    assert not gateways.heard(engine, b"nonsense")
    assert rows(engine, "SELECT name, applied_decision, applied_serial, dropped FROM gateways") == [("edge", 412, 7, 1)]


def test_a_policy_can_be_looked_up(engine: Engine) -> None:
    """A verdict's policy version leads to every threshold that was in force."""
    version = policies.put(engine, Policy())
    assert policies.put(engine, Policy()) == version
    assert (
        json.loads(one(engine, "SELECT content FROM policies WHERE version = :version", version=version))["window"]
        == 16
    )


def test_of_unreadable_records_the_newest_stay(engine: Engine) -> None:
    """Those that were set aside together stay or go together; the counts know of all."""
    claimed = claim(engine, PLACE)
    for first in (0, 3, 6):
        aside = [Unreadable(first + at, None, "not JSON", b"{") for at in range(3)]
        save(engine, claimed, Checkpoint(next=first + 3, unreadable=aside))
    assert chores.forget_unreadable(engine, 9) == 0
    assert chores.forget_unreadable(engine, 4) == 3
    assert rows(engine, "SELECT record_offset FROM unreadable ORDER BY 1") == [(at,) for at in range(3, 9)]
    assert one(engine, "SELECT unreadable FROM offsets") == 9
