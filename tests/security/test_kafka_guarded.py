"""Kafka over TLS and with a login, against the real broker: who gets in, who does not, and in what words."""

import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from consumers import topics
from consumers.kafka import KafkaError, Producer, Source, Tail, find, written
from detector.brokers import Brokers
from detector.topics import Topics
from gamekeeper import brokers, settings
from gateway.kafka import Away, Writer, reading
from tests.gateway.build import until
from tests.security.certificates import authority
from tests.security.conftest import PASSWORD, Guarded

UNSET = {setting.name: "" for setting in settings.SETTINGS}
WAYS = [
    ("SASL_SSL", {}),
    ("SASL_SSL", {"MECHANISM": "PLAIN"}),
    ("SASL_PLAINTEXT", {}),
    ("SSL", {"CERT": "client"}),
]


def environment(guarded: Guarded, protocol: str, changes: dict[str, str]) -> dict[str, str]:
    """Return the settings of one way in; a certificate named "client" is issued."""
    if "CERT" in changes:
        pair = guarded.ca.issue("client")
        changes = {**changes, "CERT": str(pair.cert), "KEY": str(pair.key)}
    return guarded.environment(protocol, **changes)


@pytest.mark.parametrize(("protocol", "changes"), WAYS, ids=lambda given: "-".join(given) if given else "SCRAM")
def test_every_client_gets_in(guarded: Guarded, protocol: str, changes: dict[str, str], topics_prefix: str) -> None:
    """Admin, producer, tail, group member, history, and the gateway's reader and writer, each way."""
    kafka = brokers.kafka(settings.load(environment(guarded, protocol, changes)))
    names = Topics(topics_prefix)
    assert all(state.created for state in topics.ensure(kafka, 1, topics_prefix))
    assert find(kafka, names.keys)
    with closing(Producer(kafka)) as producer:
        producer.send(names.keys, b"k", b"v")
    assert written(kafka, names.keys) == 1
    with closing(Tail(kafka, names.keys)) as tail:
        until(lambda: [record.value for record in tail.poll(0.5)] == [b"v"])
    with closing(Source(kafka, f"{topics_prefix}group", names.predictions, session=6.0)) as source:
        until(lambda: source.poll(0.1) == [] and [change.partitions for change in source.changes()] == [(0,)])
    gateways = Brokers(kafka.bootstrap, kafka.security)
    writer = Writer(gateways, 10)
    writer.send(names.decisions, b"k", b"w")
    assert writer.flush(10)
    writer.close()
    with reading(gateways, (names.decisions,)) as reader:
        until(lambda: [item.value for item in reader.poll(0.5)] == [b"w"])


STRANGERS = [
    ("SASL_SSL", {"PASSWORD": "wrong-canary"}, "USER"),
    ("SASL_SSL", {"MECHANISM": "PLAIN", "PASSWORD": "wrong-canary"}, "USER"),
    ("SASL_SSL", {"CA": "another"}, "certificate verify failed"),
    ("SSL", {}, "KAFKA_BOOTSTRAP_SERVERS"),
]


@pytest.mark.parametrize(("protocol", "changes", "named"), STRANGERS, ids=["password", "plain", "ca", "certificate"])
def test_a_stranger_stays_out(
    guarded: Guarded, protocol: str, changes: dict[str, str], named: str, tmp_path: Path
) -> None:
    """A wrong password, a broker that is not the one we trust, no certificate: one line, exit code 1, no secret."""
    if "CA" in changes:
        changes = {"CA": str(authority(tmp_path, "another").pair.cert)}
    result = subprocess.run(
        [sys.executable, "-m", "gamekeeper", "topics"],
        env=settings.environment(UNSET | guarded.environment(protocol, **changes)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 1
    assert last.startswith("gamekeeper: Kafka: ")
    assert named in last
    assert PASSWORD not in result.stderr + result.stdout
    assert "canary" not in result.stderr + result.stdout


def test_a_plain_client_stays_out(guarded: Guarded) -> None:
    """Without TLS the listener says nothing that a client could use."""
    tail = Tail(guarded.servers["SASL_SSL"], "decisions")
    with pytest.raises(KafkaError):
        tail.poll(0.1)


def test_who_is_kept_out_leaves_no_thread(guarded: Guarded) -> None:
    """A client that asks again and again with a wrong password leaves nothing of the driver behind."""
    wrong = brokers.kafka(settings.load(guarded.environment("SASL_SSL", PASSWORD="wrong")))  # noqa: S106  # that is it
    tail, gateways = Tail(wrong, "decisions"), Brokers(wrong.bootstrap, wrong.security)
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(KafkaError):
            tail.poll(0.1)
        with pytest.raises(Away, match="no login as"), reading(gateways, ("decisions",)):
            pass
    until(lambda: threading.active_count() <= before)


WRONG = [
    ({"PROTOCOL": "SASL_SSL"}, "USER"),
    ({"USER": "someone"}, "PROTOCOL"),
    ({"PROTOCOL": "SSL", "USER": "a", "PASSWORD": "b"}, "PROTOCOL"),
    ({"CA": __file__}, "PROTOCOL"),
    ({"PROTOCOL": "SSL", "CA": __file__}, "GAMEKEEPER_KAFKA_CA"),
    ({"PROTOCOL": "SSL", "KEY": __file__}, "GAMEKEEPER_KAFKA_CERT"),
    ({"PROTOCOL": "SSL", "CERT": __file__}, "GAMEKEEPER_KAFKA_CERT"),
]


@pytest.mark.parametrize(("given", "named"), WRONG, ids=[" ".join(given) for given, _ in WRONG])
def test_settings_that_do_not_fit_are_named(given: dict[str, str], named: str) -> None:
    """What is missing beside what is set, and a file that is no PEM, is said before anything is connected to."""
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"} | {
        f"GAMEKEEPER_KAFKA_{name}": at for name, at in given.items()
    }
    with pytest.raises(settings.BadSettings, match=named) as failure:
        brokers.security(settings.load(environ))
    assert "\n" not in str(failure.value)


def test_security_needs_brokers_of_ones_own() -> None:
    """The embedded Kafka knows no TLS: asking for it without naming brokers is an error, not silence."""
    with pytest.raises(settings.BadSettings, match="KAFKA_BOOTSTRAP_SERVERS"):
        brokers.security(settings.load({"GAMEKEEPER_KAFKA_PROTOCOL": "SSL"}))
