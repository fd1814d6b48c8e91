"""Each kind of channel: what is its own."""

import json
import ssl
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.structs import TopicPartition
from standardwebhooks import Webhook as Verifier

from consumers import topics
from consumers.channels import CHANNELS, crowdsec, http, mail
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Gone, Retry
from consumers.channels.topic import Topic
from consumers.channels.webhook import signed
from consumers.deliver import LEASE_SECONDS
from consumers.kafka import Producer
from detector.decision import Action, Key, Scope
from detector.records import encode_decision
from detector.topics import Topics
from tests.consumers import rude
from tests.consumers.endpoint import listening
from tests.consumers.owing import SECRET, TOKEN, at, delivery, owed
from tests.consumers.receivers import mail_server, syslog_server
from tests.consumers.road import PATIENCE
from tests.security.certificates import authority
from tests.templates import make


@pytest.fixture(autouse=True)
def no_tokens() -> None:
    """Forget what earlier tests logged in with: a port may come again."""
    crowdsec._tokens.clear()


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


@pytest.mark.proves("standardwebhooks", "it verifies an alert as it arrives, byte for byte")
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


@pytest.mark.proves("standardwebhooks", "it verifies a pushed decision")
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
