"""Deliver as a process: what is owed arrives, in order, however the other side behaves."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier

from consumers.channels import CHANNELS
from consumers.channels.outcome import Delivered, Gone, Retry
from consumers.deliver import settlement
from consumers.store import deliveries, keys, outbox, people
from consumers.store.facts import Channels
from detector.decision import Action, Scope
from detector.records import Applied, GatewayStatus, encode_gateway_status
from detector.standing import Standing
from tests.consumers.endpoint import Endpoint, listening
from tests.consumers.road import PATIENCE, Road, free_port, until
from tests.consumers.worker import HOOK_SECRET
from tests.store.given import saved, verdict

STOP_SECONDS = 5.0
NOW = "2026-11-24T12:00:00Z"
SAID = people.Said("ana", "a test of ours")


@pytest.fixture
def table(cold_road: Road) -> Iterator[Any]:
    """Return a reader of the topic of decisions, from its beginning."""
    consumer = KafkaConsumer(bootstrap_servers=cold_road.kafka, group_id=None, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(cold_road.topics.decisions, 0)])
    yield consumer
    consumer.close()


def block(road: Road, client: str, action: Action = Action.BLOCK) -> int:
    """Decide on a client as a person and return the decision's serial."""
    order = people.Order(Scope.CLIENT, client, "*", action, 3600, SAID.why, SAID.who)
    return people.decide(road.engine, order, Channels()).serial


def read(table: Any, count: int) -> list[tuple[bytes, Any]]:
    """Return the first `count` records of the topic: key and JSON value."""
    records: list[tuple[bytes, Any]] = []

    def enough() -> bool:
        for batch in table.poll(100).values():
            records.extend((record.key, record.value and json.loads(record.value)) for record in batch)
        return len(records) >= count

    until(enough)
    return records


def alert(road: Road, *names: str) -> None:
    """Let a client be suspected, so that an alert is owed to each of the named channels."""
    saved(road.engine, verdict(Standing.SUSPECTED), channels=Channels(decisions=(), alerts=names))


def settled(road: Road) -> list[tuple[Any, ...]]:
    """Return what became of the deliveries: channel, outcome, tries."""
    return road.rows("SELECT channel, outcome, attempts FROM deliveries ORDER BY id")


def hurry(road: Road) -> None:
    """Make every retry due now, so that a test need not wait for the schedule."""
    with road.engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET due = now() WHERE outcome IS NULL AND leased IS NULL"))


def test_decisions_reach_the_topic_in_order(cold_road: Road, table: Any) -> None:
    """Of each key, serials come in order, and soon; a delivered one is not sent again."""
    with cold_road.process("deliver") as process:
        for action in (Action.THROTTLE, Action.BLOCK, Action.PERTURB):
            block(cold_road, "thief", action)
            block(cold_road, "other", action)
        records = read(table, 6)
        until(lambda: all(outcome == "delivered" for _, outcome, _ in settled(cold_road)))
        begun = time.monotonic()
        block(cold_road, "late")
        records += read(table, 1)
        assert time.monotonic() - begun < 2.0
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    for client in ("thief", "other"):
        key = msgspec.json.encode(["client_id", client, "*"])
        assert [value["serial"] for found, value in records if found == key] == [1, 2, 3]
    assert len(records) == 7


def test_keys_reach_their_topic(cold_road: Road) -> None:
    """A new client key's hash is on the compacted topic of keys; the key itself is nowhere."""
    new = keys.add_client_key(cold_road.engine, keys.Holder("alice", "acme"), SAID)
    consumer = KafkaConsumer(bootstrap_servers=cold_road.kafka, group_id=None, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(cold_road.topics.keys, 0)])
    with cold_road.process("deliver"):
        [(key, value)] = read(consumer, 1)
    consumer.close()
    assert (key.decode(), value["client"], value["hash"]) == (new.hash, "alice", new.hash)
    assert new.secret not in json.dumps(value)


def test_an_alert_is_signed_and_tried_again(cold_road: Road) -> None:
    """An endpoint that fails at first gets the same alert again under the same id; both signatures hold."""
    with listening(503, 200) as hook:
        alert(cold_road, "webhook:hook0")
        with cold_road.process("deliver", hooks=[hook.url]):
            until(lambda: len(hook.received) == 1)
            until(lambda: _settles(cold_road, hook, 2))
    bodies = [Verifier(HOOK_SECRET).verify(body, headers) for _, headers, body in hook.received]
    assert bodies[0] == bodies[1]
    assert bodies[0]["type"] == "extraction.suspected"
    assert len({_header(headers, "webhook-id") for _, headers, _ in hook.received}) == 1
    assert settled(cold_road) == [("webhook:hook0", "delivered", 2)]


def test_gone_is_for_good(cold_road: Road) -> None:
    """An endpoint that says 410 is given up, visibly, and not asked again."""
    with listening(410) as hook:
        alert(cold_road, "webhook:hook0")
        with cold_road.process("deliver", hooks=[hook.url]):
            until(lambda: settled(cold_road) == [("webhook:hook0", "given-up", 1)])
    assert len(hook.received) == 1
    assert "410" in cold_road.one("SELECT why FROM deliveries")


def test_a_dead_endpoint_delays_no_other(cold_road: Road, table: Any) -> None:
    """One endpoint refuses and one never answers in time: the third channel and the topic do not notice."""
    with listening(500) as bad, listening(200) as good:
        urls = [bad.url, "http://192.0.2.1:9/", good.url]  # the second is a documentation address: nobody answers
        with cold_road.process("deliver", hooks=urls):
            alert(cold_road, "webhook:hook0", "webhook:hook1", "webhook:hook2")
            block(cold_road, "thief")
            until(lambda: len(good.received) == 1, patience=15.0)
            assert len(read(table, 1)) == 1
            until(lambda: dict(row[:2] for row in settled(cold_road))["webhook:hook2"] == "delivered")
    assert dict(row[:2] for row in settled(cold_road))["webhook:hook1"] is None


def test_decisions_end_by_the_clock(cold_road: Road) -> None:
    """When a decision's time is over, people are told that its episode is resolved, once."""
    owed = Channels(decisions=("topic",), alerts=("webhook:hook0",))
    saved(cold_road.engine, verdict(Standing.CONFIRMED, seconds=1, time=0), channels=owed)
    with listening(200) as hook, cold_road.process("deliver", hooks=[hook.url]):
        until(lambda: len(hook.received) == 2)
    types = [json.loads(body)["type"] for _, _, body in hook.received]
    assert types == ["extraction.confirmed", "extraction.resolved"]


def test_gateways_are_heard(cold_road: Road) -> None:
    """What a gateway says of itself on its topic is in Postgres, however often it is said; nonsense is passed over."""
    status = GatewayStatus(
        gateway="edge", applied=Applied(id=3, serial=1), decisions=1, table_age_seconds=0.5, dropped=0, time=NOW
    )
    producer = KafkaProducer(bootstrap_servers=cold_road.kafka)
    for value in (b"nonsense", encode_gateway_status(status), encode_gateway_status(status)):
        producer.send(cold_road.topics.gateway_status, value, key=b"edge")
    producer.flush()
    producer.close()
    with cold_road.process("deliver"):
        until(lambda: cold_road.rows("SELECT name, applied_serial FROM gateways") == [("edge", 1)])


def test_killed_while_delivering(cold_road: Road, table: Any) -> None:
    """Kill -9 and again: everything arrives at least once, of each key in order, once the lease has run out."""
    for number in range(30):
        block(cold_road, f"client-{number % 5}", Action.BLOCK if number % 2 else Action.THROTTLE)
    with cold_road.process("deliver") as process:
        until(lambda: any(outcome == "delivered" for _, outcome, _ in settled(cold_road)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    with cold_road.engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET leased = now() WHERE leased IS NOT NULL"))  # time passes
    with cold_road.process("deliver"):
        until(lambda: all(outcome == "delivered" for _, outcome, _ in settled(cold_road)))
    records = read(table, 30)
    for number in range(5):
        key = msgspec.json.encode(["client_id", f"client-{number}", "*"])
        serials = [value["serial"] for found, value in records if found == key]
        assert list(dict.fromkeys(serials)) == [1, 2, 3, 4, 5, 6]


def test_settlement() -> None:
    """What is written down for each outcome: the tenth failure of an endpoint is the last, a topic never gives up."""
    hook, topic = CHANNELS["webhook"], CHANNELS["topic"]
    assert settlement(hook, 1, Delivered()) == outbox.Delivered()
    assert settlement(hook, 1, Gone("410")) == outbox.GivenUp("410")
    retry = settlement(hook, 2, Retry("500", after=900.0))
    assert isinstance(retry, outbox.Retry)
    assert retry.seconds == 900.0
    assert settlement(hook, 10, Retry("500")) == outbox.GivenUp("10 tries; the last: 500")
    assert isinstance(settlement(topic, 1000, Retry("away")), outbox.Retry)


def _settles(road: Road, hook: Endpoint, count: int) -> bool:
    hurry(road)
    return len(hook.received) == count and all(row[1] for row in settled(road))


def _header(headers: dict[str, str], name: str) -> str:
    return next(value for key, value in headers.items() if key.lower() == name)


def test_many_endpoints_are_served_at_once(cold_road: Road) -> None:
    """More channels than a process keeps connections to Postgres: each is served within moments."""
    with listening(200) as hook:
        urls = [f"{hook.url}/{number}" for number in range(16)]
        with cold_road.process("deliver", hooks=urls):
            alert(cold_road, "webhook:hook0")
            until(lambda: len(hook.received) == 1)  # it is up
            saved(
                cold_road.engine,
                verdict(Standing.CONFIRMED, serial=2),
                channels=Channels(decisions=(), alerts=tuple(f"webhook:hook{number}" for number in range(16))),
            )
            until(lambda: len(hook.received) == 17, patience=8.0)


def test_a_fault_of_ours_ends_the_process(cold_road: Road) -> None:
    """A channel whose thread has ended would be silent for ever: whoever watches the process starts it again."""
    alert(cold_road, "webhook:hook0")
    with cold_road.process("deliver", hooks=["http://127.0.0.1:9/"], faulty=True) as process:
        assert process.wait(PATIENCE) == 1


def test_what_was_given_up_is_seen_and_sent_again(cold_road: Road) -> None:
    """A given-up alert is counted, and sent again on demand under its own id, the older of a client first."""
    with listening(410, 410, 200) as hook:
        port = free_port()
        with cold_road.process("deliver", hooks=[hook.url], metrics_port=port):
            alert(cold_road, "webhook:hook0")
            until(lambda: settled(cold_road) == [("webhook:hook0", "given-up", 1)])
            saved(
                cold_road.engine,
                verdict(Standing.CONFIRMED, serial=2),
                channels=Channels(decisions=(), alerts=("webhook:hook0",)),
            )
            until(lambda: [row[1] for row in settled(cold_road)] == ["given-up"] * 2)
        with cold_road.process("deliver", hooks=[hook.url], metrics_port=port):
            line = 'gamekeeper_deliveries_undelivered{channel="webhook:hook0",outcome="given-up"} 2.0'
            until(lambda: line in _metrics(port))
            assert deliveries.resend_given_up(cold_road.engine, "webhook:hook0", SAID) == [1, 2]
            until(lambda: [row[1] for row in settled(cold_road)] == ["delivered"] * 2)
    ids = [_header(headers, "webhook-id") for _, headers, _ in hook.received]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def _metrics(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return ""
