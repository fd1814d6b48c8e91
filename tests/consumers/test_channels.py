"""Channels: what each must do, whatever it is, and what HTTP answers mean."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer
from kafka.structs import TopicPartition
from standardwebhooks import Webhook as Verifier

from consumers import topics
from consumers.channels import CHANNELS, http
from consumers.channels.outcome import KAFKA_WAITS, LONGEST_WAIT, STANDARD_WAITS, Delivered, Gone, Kind, Retry, next_try
from consumers.channels.push import Push
from consumers.channels.topic import Topic
from consumers.channels.webhook import Webhook, signed
from consumers.kafka import Producer
from consumers.store.outbox import Delivery
from detector.topics import Topics
from tests.consumers.endpoint import listening

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # the example of the specification
TOKEN = "push-token-canary"  # noqa: S105  # made up


def delivery(channel: str, payload: bytes | None = b'{"type":"extraction.suspected","data":{}}') -> Delivery:
    """Return a delivery owed to `channel`."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Delivery(7, channel, "alert", payload, b'["client_id","c","m"]', 1, now, "msg_2b7f")


@dataclass(frozen=True)
class Bench:
    """A working and a broken other side of one kind of channel."""

    working: Any
    broken: Any


@pytest.fixture
def benches(kafka: str, topics_prefix: str) -> Iterator[dict[str, Bench]]:
    """Return a bench for each kind in the registry."""
    topics.ensure(kafka, 1, topics_prefix)
    names = Topics(topics_prefix)
    with contextlib.ExitStack() as stack:
        good, bad = stack.enter_context(listening(200)), stack.enter_context(listening(500))
        producer, lost = Producer(kafka), Producer("127.0.0.1:1")
        stack.callback(producer.close)
        yield {
            "topic": Bench(Topic(names.decisions, producer), Topic(names.decisions, lost)),
            "keys": Bench(Topic(names.keys, producer), Topic(names.keys, lost)),
            "push": Bench(Push("edge", good.url, TOKEN), Push("edge", bad.url, TOKEN)),
            "webhook": Bench(
                Webhook("ops", good.url, SECRET, private=True), Webhook("ops", bad.url, SECRET, private=True)
            ),
        }


@pytest.mark.parametrize("name", CHANNELS)
class TestContract:
    """What every channel keeps."""

    def test_delivers_twice_alike(self, name: str, benches: dict[str, Bench]) -> None:
        """The same delivery sent again is delivered again: at least once is all that is promised."""
        send, settings = CHANNELS[name].send, benches[name].working
        assert [send(delivery(name), settings) for _ in range(2)] == [Delivered(), Delivered()]

    def test_a_tombstone_is_no_error(self, name: str, benches: dict[str, Bench]) -> None:
        """A delivery without payload is settled by every channel."""
        assert CHANNELS[name].send(delivery(name, None), benches[name].working) == Delivered()

    def test_says_when_it_failed(self, name: str, benches: dict[str, Bench]) -> None:
        """An other side that does not work means: try again, with a reason."""
        outcome = CHANNELS[name].send(delivery(name), benches[name].broken)
        assert isinstance(outcome, Retry)
        assert outcome.why

    def test_never_tells_a_secret(self, name: str, benches: dict[str, Bench]) -> None:
        """Neither the outcome nor the settings, printed, nor a log line hold a secret."""
        bench = benches[name]
        with structlog.testing.capture_logs() as logs:
            outcomes = [CHANNELS[name].send(delivery(name), settings) for settings in (bench.working, bench.broken)]
        text = repr((outcomes, bench, logs))
        assert SECRET.removeprefix("whsec_") not in text
        assert TOKEN not in text


def test_topic_keeps_key_and_tombstone(kafka: str, topics_prefix: str) -> None:
    """A decision's record has its key; a tombstone has no value."""
    topics.ensure(kafka, 1, topics_prefix)
    name = Topics(topics_prefix).decisions
    producer = Producer(kafka)
    for payload in (b"{}", None):
        assert CHANNELS["topic"].send(delivery("topic", payload), Topic(name, producer)) == Delivered()
    producer.close()
    with KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None) as consumer:
        consumer.assign([TopicPartition(name, 0)])
        records: list[Any] = []
        for _ in range(50):
            records += [record for batch in consumer.poll(200).values() for record in batch]
            if len(records) == 2:
                break
    assert [(record.key, record.value) for record in records] == [
        (b'["client_id","c","m"]', b"{}"),
        (b'["client_id","c","m"]', None),
    ]


def test_a_webhook_is_signed() -> None:
    """The receiver's own library accepts what arrives, byte for byte, and the id is the delivery's."""
    with listening(204) as endpoint:
        sent = delivery("webhook:ops")
        assert CHANNELS["webhook"].send(sent, Webhook("ops", endpoint.url, SECRET, private=True)) == Delivered()
        [(path, headers, body)] = endpoint.received
    assert path == "/hook"
    assert Verifier(SECRET).verify(body, headers) == {"type": "extraction.suspected", "data": {}}
    assert {name.lower(): value for name, value in headers.items()}["webhook-id"] == "msg_2b7f"


def test_signature_of_the_specification() -> None:
    """The example of Standard Webhooks 1.0.0 gives its signature, whatever this machine's time zone is."""
    headers = signed(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_push_shows_its_token() -> None:
    """A gateway gets the decision as it is, and the token."""
    with listening(200) as endpoint:
        CHANNELS["push"].send(delivery("push:edge", b'{"id":1}'), Push("edge", endpoint.url, TOKEN))
        [(_, headers, body)] = endpoint.received
    assert (headers["Authorization"], body) == (f"Bearer {TOKEN}", b'{"id":1}')


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "http://10.1.2.3/", "http://169.254.169.254/"],
)
def test_private_addresses_are_refused(url: str) -> None:
    """A webhook to this machine or its network is given up, and nothing is sent."""
    outcome = http.post(url, b"{}", {}, private=False)
    assert isinstance(outcome, Gone)
    assert "private" in outcome.why


def test_redirects_are_not_followed() -> None:
    """An answer that points elsewhere is a failure, and elsewhere hears nothing."""
    with listening(200) as other, listening(307, headers={"Location": other.url}) as endpoint:
        assert http.post(endpoint.url, b"{}", {}, private=True) == Retry("the endpoint says 307", None)
        assert (len(endpoint.received), len(other.received)) == (1, 0)


@pytest.mark.parametrize(
    ("status", "retry_after", "outcome"),
    [
        (200, None, Delivered()),
        (299, None, Delivered()),
        (302, None, Retry("the endpoint says 302")),
        (410, None, Gone("the endpoint says 410 Gone")),
        (429, "120", Retry("the endpoint says 429", 120.0)),
        (503, "Tue, 24 Nov 2026 00:01:30 GMT", Retry("the endpoint says 503", 90.0)),
        (503, "Mon, 23 Nov 2026 00:00:00 GMT", Retry("the endpoint says 503", 0.0)),
        (500, "soon", Retry("the endpoint says 500")),
    ],
)
def test_judge(status: int, retry_after: str | None, outcome: object) -> None:
    """Only 2xx is success, 410 is for good, and Retry-After is a number or a date."""
    assert http.judge(status, retry_after, datetime(2026, 11, 24, tzinfo=UTC).timestamp()) == outcome


def test_schedule_of_standard_webhooks() -> None:
    """Ten tries over more than three days, and then it is given up."""
    waits = [next_try(CHANNELS["webhook"], attempts, None, 0.0) for attempts in range(1, 11)]
    assert waits == [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, None]
    assert len(STANDARD_WAITS) == 10


@given(st.integers(1, 1000), st.none() | st.floats(0, 1e9), st.floats(0, 1))
def test_next_try(attempts: int, after: float | None, dice: float) -> None:
    """A topic is tried for ever; jitter only lengthens; Retry-After is kept, up to a day."""
    kind = Kind(CHANNELS["topic"].send, KAFKA_WAITS, forever=True)
    wait = next_try(kind, attempts, after, dice)
    assert wait is not None
    assert wait >= KAFKA_WAITS[min(attempts, len(KAFKA_WAITS) - 1)]
    assert wait >= min(after or 0.0, LONGEST_WAIT)
