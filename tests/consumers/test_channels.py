"""Channels: what each must do, whatever it is, and what HTTP answers mean."""

import contextlib
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer
from kafka.structs import TopicPartition
from standardwebhooks import Webhook as Verifier

from consumers import topics
from consumers.alert import encode
from consumers.channels import CHANNELS, OURS, crowdsec, http, mail, trial
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import KAFKA_WAITS, LONGEST_WAIT, STANDARD_WAITS, Delivered, Gone, Kind, Retry, next_try
from consumers.channels.topic import Topic
from consumers.channels.webhook import signed
from consumers.deliver import LEASE_SECONDS
from consumers.kafka import Producer
from consumers.store.outbox import Delivery
from detector.decision import Action, Key, Scope, in_force
from detector.records import decode_decision, encode_decision
from detector.topics import Topics
from tests.consumers import rude
from tests.consumers.endpoint import listening
from tests.consumers.receivers import mail_server, syslog_server
from tests.consumers.road import PATIENCE, free_port
from tests.security.certificates import authority
from tests.templates import make

LATE = 4_000_000_000_000_000  # µs: in 2096
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # the example of the specification
TOKEN = "push-token-canary"  # noqa: S105  # made up


def delivery(channel: str, payload: bytes | None) -> Delivery:
    """Return a delivery owed to `channel`."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Delivery(7, channel, "alert", payload, b'["client_id","c","m"]', 1, now, "msg_2b7f")


def owed(name: str, **other: Any) -> Delivery:
    """Return what a channel of this kind is owed: an alert or a decision, with these facts."""
    if CHANNELS[name].takes == "alerts":
        return delivery(name, encode(make.alert(**other)))
    return delivery(name, encode_decision(make.decision(until=LATE, **other)))


@dataclass(frozen=True)
class Bench:
    """A working and a broken other side of one kind of channel, and what the working one got: text."""

    working: Any
    broken: Any
    got: Callable[[], str] = str


def at(kind: str, url: str) -> Endpoint:
    """Return an endpoint with everything that any kind needs."""
    secret = TOKEN if kind in {"push", "crowdsec", "pagerduty"} else SECRET
    user = "" if kind == "email" else "machine"
    to = ("soc@example.org", "ops@example.org")
    return Endpoint(kind, "edge", url, secret, user=user, sender="gamekeeper@example.org", to=to, private=True)


@pytest.fixture(autouse=True)
def no_tokens() -> None:
    """Forget what earlier tests logged in with: a port may come again."""
    crowdsec._tokens.clear()


@pytest.fixture
def benches(kafka: str, topics_prefix: str) -> Iterator[dict[str, Bench]]:
    """Return a bench for each kind in the registry."""
    topics.ensure(kafka, 1, topics_prefix)
    names = Topics(topics_prefix)
    with contextlib.ExitStack() as stack:
        good, bad = stack.enter_context(listening(200, body=b'{"token":"t"}')), stack.enter_context(listening(500))
        post, grumpy = stack.enter_context(mail_server()), stack.enter_context(mail_server(refuses=True))
        collector = stack.enter_context(syslog_server())
        producer, lost = Producer(kafka), Producer("127.0.0.1:1")
        stack.callback(producer.close)
        web = {
            name: Bench(at(name, good.url), at(name, bad.url), lambda: repr(good.received))
            for name, kind in CHANNELS.items()
            if "http" in kind.schemes and name not in OURS
        }
        yield web | {
            "topic": Bench(Topic(names.decisions, producer), Topic(names.decisions, lost)),
            "keys": Bench(Topic(names.keys, producer), Topic(names.keys, lost)),
            "email": Bench(
                at("email", f"smtp://127.0.0.1:{post.port}"),
                at("email", f"smtp://127.0.0.1:{grumpy.port}"),
                lambda: "".join(mail.get_content() for mail in post.mails),
            ),
            "syslog": Bench(
                at("syslog", f"syslog+tcp://127.0.0.1:{collector.port}"),
                at("syslog", f"syslog+tcp://127.0.0.1:{free_port()}"),
                lambda: repr(collector.came.wait(PATIENCE) and collector.received),
            ),
        }


@pytest.mark.parametrize("name", CHANNELS)
class TestContract:
    """What every channel keeps."""

    def test_delivers_twice_alike(self, name: str, benches: dict[str, Bench]) -> None:
        """The same delivery sent again is delivered again: at least once is all that is promised."""
        send, settings = CHANNELS[name].send, benches[name].working
        assert [send(owed(name), settings) for _ in range(2)] == [Delivered(), Delivered()]

    def test_a_tombstone_is_no_error(self, name: str, benches: dict[str, Bench]) -> None:
        """A delivery without payload is settled by every channel."""
        assert CHANNELS[name].send(delivery(name, None), benches[name].working) == Delivered()

    def test_says_when_it_failed(self, name: str, benches: dict[str, Bench]) -> None:
        """An other side that does not work means: try again, with a reason."""
        outcome = CHANNELS[name].send(owed(name), benches[name].broken)
        assert isinstance(outcome, Retry)
        assert outcome.why

    def test_never_tells_a_secret(self, name: str, benches: dict[str, Bench]) -> None:
        """Neither the outcome nor the settings, printed, nor a log line hold a secret."""
        bench = benches[name]
        with structlog.testing.capture_logs() as logs:
            outcomes = [CHANNELS[name].send(owed(name), settings) for settings in (bench.working, bench.broken)]
        text = repr((outcomes, bench.working, bench.broken, logs))
        assert SECRET.removeprefix("whsec_") not in text
        assert TOKEN not in text

    def test_shadow_is_enforced_nowhere(self, name: str, benches: dict[str, Bench]) -> None:
        """A block in shadow is told as one; what takes decisions is left with nothing to enforce."""
        bench = benches[name]
        assert CHANNELS[name].send(owed(name, shadow=True), bench.working) == Delivered()
        got = bench.got()
        if CHANNELS[name].takes == "alerts":
            assert "nothing is enforced, in shadow" in got or '"shadow":true' in got
        elif name == "crowdsec":
            assert "DELETE" not in got
            assert "decisions" in got
            assert "/v1/alerts" not in got
        else:
            sent = owed(name, shadow=True).payload or b""
            assert in_force([decode_decision(sent)], make.NOON_US) is None
            assert name in OURS or sent.decode() in got


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
        sent = owed("webhook")
        assert CHANNELS["webhook"].send(sent, at("webhook", endpoint.url)) == Delivered()
        [(path, headers, body)] = endpoint.received
    assert path == "/hook"
    assert Verifier(SECRET).verify(body, headers)["type"] == "extraction.confirmed"
    assert {name.lower(): value for name, value in headers.items()}["webhook-id"] == "msg_2b7f"


def test_signature_of_the_specification() -> None:
    """The example of Standard Webhooks 1.0.0 gives its signature, whatever this machine's time zone is."""
    headers = signed(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_push_shows_its_token() -> None:
    """A gateway gets the decision as it is, and the token."""
    with listening(200) as endpoint:
        CHANNELS["push"].send(delivery("push:edge", b'{"id":1}'), at("push", endpoint.url))
        [(_, headers, body)] = endpoint.received
    assert (headers["Authorization"], body) == (f"Bearer {TOKEN}", b'{"id":1}')


def test_push_is_signed_with_a_signing_secret() -> None:
    """Somebody else's gateway can check a signature in place of a token."""
    with listening(200) as endpoint:
        signing = Endpoint("push", "edge", endpoint.url, SECRET)
        assert CHANNELS["push"].send(delivery("push:edge", b'{"id":1}'), signing) == Delivered()
        [(_, headers, body)] = endpoint.received
    assert Verifier(SECRET).verify(body, headers) == {"id": 1}
    assert "Authorization" not in headers


def test_pagerduty_gets_its_routing_key() -> None:
    """The key is in the body, as Events v2 has it, and nowhere else."""
    with listening(202) as endpoint:
        assert CHANNELS["pagerduty"].send(owed("pagerduty"), at("pagerduty", endpoint.url)) == Delivered()
        [(_, headers, body)] = endpoint.received
    assert json.loads(body)["routing_key"] == TOKEN
    assert "Authorization" not in headers


def test_crowdsec_is_left_with_what_is_decided() -> None:
    """A machine logs in once; a decision replaces ours on that value and model; a lift or a shadow only ends it."""
    with listening(200, body=b'{"token":"t"}') as lapi:
        endpoint = at("crowdsec", f"http://127.0.0.1:{lapi.port}/")
        for other in ({}, {"shadow": True}, {"action": Action.ALLOW}):
            assert CHANNELS["crowdsec"].send(owed("crowdsec", **other), endpoint) == Delivered()
    assert lapi.methods == ["POST", "DELETE", "POST", "DELETE", "DELETE"]
    (_, _, login), (deleted, headers, _), (posted, _, alerts), *_ = lapi.received
    assert json.loads(login) == {"machine_id": "machine", "password": TOKEN, "scenarios": []}
    assert deleted == "/v1/decisions?scopes=client_id&value=key_7f3a&origin=gamekeeper%2Fdigits"
    assert headers["Authorization"] == "Bearer t"
    assert posted == "/v1/alerts"
    assert json.loads(alerts)[0]["decisions"][0]["type"] == "ban"


def test_crowdsec_logs_in_again_when_its_token_is_old() -> None:
    """A token that is no longer taken is dropped, once."""
    with listening(200, 200, 401, 200, body=b'{"token":"t"}') as lapi:
        endpoint = at("crowdsec", f"http://127.0.0.1:{lapi.port}")
        for _ in range(2):
            assert CHANNELS["crowdsec"].send(owed("crowdsec", action=Action.ALLOW), endpoint) == Delivered()
    paths = [path.partition("?")[0] for path, _, _ in lapi.received]
    login, end = "/v1/watchers/login", "/v1/decisions"
    assert paths == [login, end, end, login, end]


def test_a_crowdsec_that_says_nothing_costs_one_bounded_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests a decision takes, a try ends within the lease."""
    assert crowdsec.BEGIN_SECONDS + crowdsec.REQUEST_SECONDS + http.RESOLVE_SECONDS < LEASE_SECONDS
    monkeypatch.setattr(crowdsec, "BEGIN_SECONDS", 0.0)
    with listening(200, body=b'{"token":"t"}') as lapi:
        assert CHANNELS["crowdsec"].send(owed("crowdsec"), at("crowdsec", lapi.url)) == Retry("CrowdSec takes too long")
    assert lapi.received == []


def test_crowdsec_refuses_what_it_cannot_hold() -> None:
    """A value that would be cut or changed is given up, visibly, and nothing is sent."""
    bad = encode_decision(make.decision(key=Key(Scope.CLIENT, "x" * 256, "digits")))
    with listening(200) as lapi:
        assert isinstance(CHANNELS["crowdsec"].send(delivery("crowdsec:x", bad), at("crowdsec", lapi.url)), Gone)
    assert lapi.received == []


def test_mail_is_a_thread_an_episode() -> None:
    """Both recipients get plain text; a repeat has the same id; all of an episode refer to one another."""
    with mail_server() as server:
        endpoint = at("email", f"smtp://127.0.0.1:{server.port}")
        assert CHANNELS["email"].send(owed("email"), endpoint) == Delivered()
        [mail] = server.mails
    assert mail["To"] == "soc@example.org, ops@example.org"
    assert mail["Message-ID"] == "<msg_2b7f@gamekeeper.invalid>"
    assert make.EPISODE in mail["References"]
    assert mail.get_content_type() == "text/plain"
    assert "it is blocked until 2026-11-24 16:00:00 UTC" in mail.get_content()


def test_mail_logs_in_under_tls_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password goes out once the server has shown a certificate that somebody vouches for, and not before."""
    trusted = authority(tmp_path)
    pair = trusted.issue("mail")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.cert, pair.key)
    with mail_server(tls_context=tls, auth_require_tls=True) as server:
        url = f"smtp+starttls://127.0.0.1:{server.port}"
        endpoint = replace(at("email", url), user="gamekeeper")
        assert isinstance(CHANNELS["email"].send(owed("email"), endpoint), Retry)
        assert server.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted.pair.cert))
        assert CHANNELS["email"].send(owed("email"), endpoint) == Delivered()
    assert server.logins == [("gamekeeper", SECRET)]
    assert len(server.mails) == 1


def test_a_mail_server_that_says_nothing_costs_one_bounded_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever drips a letter at a time is left when the time is over."""
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 0.5)
    with rude.serving(rude.dripping) as port:
        begun = time.monotonic()
        assert isinstance(CHANNELS["email"].send(owed("email"), at("email", f"smtp://127.0.0.1:{port}")), Retry)
        assert time.monotonic() - begun < 3.0


@pytest.mark.parametrize("udp", [False, True])
def test_syslog_by_tcp_and_udp(udp: bool) -> None:
    """By TCP a frame says how long it is; by UDP a datagram is the message."""
    with syslog_server(udp=udp) as collector:
        url = f"syslog{'' if udp else '+tcp'}://127.0.0.1:{collector.port}"
        assert CHANNELS["syslog"].send(owed("syslog"), at("syslog", url)) == Delivered()
        assert collector.came.wait(PATIENCE)
    [got] = collector.received
    length, _, message = (b"", b"", got) if udp else got.partition(b" ")
    assert udp or int(length) == len(message)
    assert message.startswith(b"<82>1 2026-11-24T12:00:00.000Z ")
    assert b" gamekeeper - updated - CEF:0|Gamekeeper|" in message


@pytest.mark.parametrize("name", [name for name in CHANNELS if name not in OURS])
def test_a_trial_says_that_it_is_one(name: str, benches: dict[str, Bench]) -> None:
    """`channels test` goes through the real channel; people read TEST, and nothing is enforced."""
    assert trial.send(benches[name].working) == Delivered()
    got = benches[name].got()
    if CHANNELS[name].takes == "alerts":
        assert "TEST, nothing happened" in got or '"test":true' in got
    else:
        assert "gamekeeper-test" in got
        assert "/v1/alerts" not in got


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
