"""The gateway on a real Kafka: keys and decisions come in, the query log and the status go out."""

import contextlib
import dataclasses
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers.topics import ensure
from detector.decision import Action
from detector.records import decision_key, encode_decision
from detector.topics import Topics
from detector.wire import RawRecord, decode
from gamekeeper import embedded
from gamekeeper.settings import load, writable_cache
from gateway.access import hashed
from gateway.kafka import Away, Reader, Writer, reading
from gateway.settings import GatewaySettings
from tests.conftest import quiet
from tests.gamekeeper.processes import command_line, named
from tests.gateway.build import ALICE, BOB, SHAPE, Running, decision, images, key_line, serving, until


@pytest.fixture
def topics(kafka: str, topics_prefix: str) -> Topics:
    """Return topics of this test's own."""
    ensure(kafka, partitions=2, prefix=topics_prefix)
    return Topics(topics_prefix)


@pytest.fixture
def producer(kafka: str) -> Iterator[KafkaProducer]:
    """Return a producer for what others write to a gateway's topics."""
    made = KafkaProducer(bootstrap_servers=kafka)
    yield made
    made.close()


@pytest.fixture
def settings(alone: GatewaySettings, kafka: str, topics: Topics) -> GatewaySettings:
    """Return settings of a gateway whose keys come from Kafka."""
    return dataclasses.replace(alone, bootstrap=kafka, topics=topics, keys_file=None, name="edge", feed_wait=10)


def write(producer: KafkaProducer, topic: str, key: bytes, value: bytes | None) -> None:
    """Write one record and wait until Kafka has it."""
    producer.send(topic, key=key, value=value).get(10)


def write_key(producer: KafkaProducer, topics: Topics, key: str, client: str, **members: object) -> None:
    """Write one API key, as `gamekeeper keys` makes `deliver` do."""
    write(producer, topics.keys, hashed(key).encode(), key_line(key, client, **members).encode())


def write_decision(producer: KafkaProducer, topics: Topics, serial: int, action: Action) -> None:
    """Write one decision about alice."""
    made = decision(serial, action)
    write(producer, topics.decisions, decision_key(made), encode_decision(made))


def read_all(kafka: str, topic: str, count: int) -> list[Any]:
    """Return the first `count` records of a topic."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    found: list[Any] = []

    def enough() -> bool:
        found.extend(record for batch in consumer.poll(timeout_ms=200).values() for record in batch)
        return len(found) >= count

    with contextlib.closing(consumer):
        consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()])
        until(enough, 15)
    return found


def status(kafka: str, topics: Topics) -> dict[str, Any]:
    """Return the newest report of the gateway."""
    newest: dict[str, Any] = msgspec.json.decode(read_all(kafka, topics.gateway_status, 1)[-1].value)
    return newest


def answers(running: Running, status_code: int) -> None:
    """Wait until alice is answered with this status: a moment, on a machine that is not busy."""
    until(lambda: running.ask().status_code == status_code, 5.0)


def test_everything_first_then_as_it_comes(settings: GatewaySettings, topics: Topics, producer: KafkaProducer) -> None:
    """What was written before the start is in force with the first answer; what comes later, soon."""
    write_key(producer, topics, ALICE, "alice")
    write_key(producer, topics, BOB, "bob")
    write_decision(producer, topics, 1, Action.BLOCK)
    with serving(settings) as running:
        assert running.ask().status_code == 403
        assert running.ask(key=BOB).status_code == 200
        until(lambda: _healthy(running))
        health = running.http.get("/healthz").json()
        assert (health["status"], health["table"]["state"], health["keys"]) == ("ok", "following", 2)
        write_decision(producer, topics, 2, Action.ALLOW)
        answers(running, 200)
        write_decision(producer, topics, 1, Action.BLOCK)  # late: must change nothing
        write_decision(producer, topics, 3, Action.BLOCK)
        answers(running, 403)
        write_key(producer, topics, ALICE, "alice", revoked=True)
        answers(running, 401)
        write_key(producer, topics, ALICE, "alice")
        answers(running, 403)
        write(producer, topics.keys, hashed(ALICE).encode(), None)
        answers(running, 401)
        assert running.ask(key=BOB).status_code == 200


def test_tombstones_and_bad_records(settings: GatewaySettings, topics: Topics, producer: KafkaProducer) -> None:
    """A record that cannot be read is counted and the rest comes in; a tombstone does not lift what is in force."""
    write_key(producer, topics, ALICE, "alice")
    write(producer, topics.keys, b"other", key_line(BOB, "bob").encode())
    write(producer, topics.keys, hashed(BOB).encode(), b"{")
    write(producer, topics.decisions, b"[]", b'{"id":"x"}')
    write(producer, topics.decisions, b"nonsense", None)
    write_decision(producer, topics, 1, Action.BLOCK)
    write(producer, topics.decisions, decision_key(decision()), None)
    with serving(settings) as running:
        assert running.ask().status_code == 403
        assert running.ask(key=BOB).status_code == 401
        assert running.http.get("/healthz").json()["table"]["unreadable"] == 4


def test_query_log_is_what_the_detector_reads(
    settings: GatewaySettings, topics: Topics, producer: KafkaProducer, kafka: str
) -> None:
    """Every row is one record, keyed by client, readable by the wire, with the true answer; refusals have none."""
    write_key(producer, topics, ALICE, "alice")
    with serving(settings) as running:
        true = np.array(running.ask(rows=3).json()["predictions"], np.float32)
        running.parts.guard.table.apply(decision(1, Action.THROTTLE))
        assert running.ask().json()["predictions"][0] != true[0].tolist()
        running.parts.guard.table.apply(decision(2, Action.BLOCK))
        assert running.ask().status_code == 403
        assert running.ask(key="nobody").status_code == 401
    records = read_all(kafka, topics.predictions, 5)
    assert {record.key for record in records} == {b"alice"}
    values = [msgspec.json.decode(record.value) for record in records]
    assert [value["status"] for value in values] == [200] * 4 + [403]
    for value, row in zip(values, (0, 1, 2, 0), strict=False):
        np.testing.assert_allclose(value["output"]["probabilities"], true[row], atol=1e-6)
    assert [value.get("model_version") for value in values] == ["1"] * 4 + [None]
    assert values[3]["served"] == {"label": int(true[0].argmax())}
    raw = [RawRecord(one.value, None, one.timestamp * 1000, one.offset) for one in records]
    decoded = decode(raw, {"digits": SHAPE})
    assert (decoded.read, decoded.unreadable) == (5, ())
    (queries,) = decoded.queries
    assert queries.scored.tolist() == [True] * 4 + [False]
    assert queries.input is not None
    np.testing.assert_array_equal(queries.input[:3], images(3).reshape(3, -1))


def test_a_refusal_by_role_is_a_record(
    settings: GatewaySettings, topics: Topics, producer: KafkaProducer, kafka: str
) -> None:
    """A query that no role permits is on the client's record, without an answer; the model is not called."""
    write_key(producer, topics, ALICE, "alice", roles=["reader"])
    write(producer, topics.keys, b"role:reader", b'{"v":1,"role":"reader","operations":["metadata"]}')
    with serving(settings) as running:
        assert running.ask().json()["code"] == "not_allowed"
        assert running.http.get("/v1/models/digits", headers={"X-API-Key": ALICE}).status_code == 200
        assert running.calls == 0
    [record] = read_all(kafka, topics.predictions, 1)
    value = msgspec.json.decode(record.value)
    assert (value["client"], value["model"], value["status"]) == ("alice", "digits", 403)
    assert "output" not in value


def test_status_tells_what_was_applied(
    settings: GatewaySettings, topics: Topics, producer: KafkaProducer, kafka: str
) -> None:
    """A decision that was applied is reported under the gateway's name, soon."""
    write_key(producer, topics, ALICE, "alice")
    with serving(settings):
        write_decision(producer, topics, 7, Action.BLOCK)
        started = time.monotonic()
        until(lambda: status(kafka, topics).get("applied") == {"id": 7, "serial": 7}, 10)
        assert time.monotonic() - started < 5
        newest = status(kafka, topics)
        assert (newest["gateway"], newest["decisions"], newest["dropped"]) == ("edge", 1, 0)
        assert newest["table_age_seconds"] < 5


class Relay:
    """A TCP relay to a broker that can be cut: a network that goes away."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = 0

    def up(self) -> None:
        """Let connections through, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self) -> None:
        """Cut everything."""
        assert self._listener is not None
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


def test_writer_waits_for_acknowledgement(kafka: str, topics: Topics) -> None:
    """What is written is counted once Kafka has it; a topic that is not there is an error, and is not created."""
    writer = Writer(kafka, 10)
    for number in range(25):
        writer.send(topics.predictions, b"alice", str(number).encode())
    assert writer.flush(10)
    assert (writer.written, writer.failed) == (25, 0)
    with pytest.raises(Away, match="writing to"):
        writer.send(topics.predictions + "-none", b"alice", b"{}")
    writer.close()
    assert len(read_all(kafka, topics.predictions, 25)) == 25


def test_reader_misses_a_topic(kafka: str, topics: Topics) -> None:
    """A topic that does not exist yet is Kafka being away: tried again later, never created."""
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(Away, match="no topic"), reading(kafka, (topics.decisions, topics.prefix + "none")):
            pass
    until(lambda: threading.active_count() <= before)  # and nothing of the driver is left behind


def test_reader_sees_the_end(kafka: str, topics: Topics, producer: KafkaProducer) -> None:
    """The end is reached when what was there at the last look has been read."""
    write(producer, topics.keys, b"1", b"{}")
    with reading(kafka, (topics.keys,)) as reader:
        assert not reader.at_end()
        until(lambda: [*reader.poll(0.2)] and reader.at_end())
        write(producer, topics.keys, b"2", None)
        reader.look()
        assert not reader.at_end()
        assert _next(reader) == (b"2", None)
        assert reader.at_end()


def _next(reader: Reader) -> tuple[bytes | None, bytes | None]:
    found: list[tuple[bytes | None, bytes | None]] = []

    def arrived() -> bool:
        found.extend((item.key, item.value) for item in reader.poll(0.2))
        return bool(found)

    until(arrived)
    return found[0]


def test_gateway_started_before_kafka_catches_up(
    settings: GatewaySettings, kafka: str, topics: Topics, producer: KafkaProducer
) -> None:
    """Started while Kafka is away, it lets nobody in; when Kafka comes, all is as if it had been there."""
    write_key(producer, topics, ALICE, "alice")
    relay = Relay(kafka)
    relay.up()
    relay.down()
    late = dataclasses.replace(settings, bootstrap=f"127.0.0.1:{relay.port}", feed_wait=0.1)
    with serving(late) as running:
        assert running.ask().status_code == 503
        relay.up()
        until(lambda: running.ask().status_code == 200, 10)
        until(lambda: _healthy(running), 10)
    assert read_all(kafka, topics.predictions, 1)
    relay.down()


@pytest.fixture
def own_kafka(data_folder: Path, tmp_path: Path) -> Iterator[embedded.Server]:
    """Return a Kafka that this test may kill."""
    server = embedded.start_kafka(tmp_path / "kafka", writable_cache(load(), data_folder), quiet)
    yield server
    server.stop()


def test_a_killed_broker_changes_nothing_for_clients(settings: GatewaySettings, own_kafka: embedded.Server) -> None:
    """While the broker is dead the last table is in force, its age is told, and the log waits; then all catches up."""
    ensure(own_kafka.url, partitions=1)
    topics = Topics()
    with closing(KafkaProducer(bootstrap_servers=own_kafka.url)) as producer:
        write_key(producer, topics, ALICE, "alice")
        write_key(producer, topics, BOB, "bob")
        write_decision(producer, topics, 1, Action.BLOCK)
    here = dataclasses.replace(settings, bootstrap=own_kafka.url, topics=topics, age_header=True)
    with serving(here) as running:
        until(lambda: _healthy(running))
        assert float(running.ask(key=BOB).headers["Gamekeeper-Table-Age"]) < 5
        until(lambda: running.parts.guard.log.writer and running.parts.guard.log.writer.written == 1)
        _kill(own_kafka)
        until(lambda: running.http.get("/healthz").json()["table"]["state"] == "lost", 20)
        asked = [running.ask(key=key).status_code for key in (ALICE, BOB) * 5]
        assert asked == [403, 200] * 5
        health = running.http.get("/healthz").json()
        assert (health["status"], health["log"]["dropped"]) == ("degraded", 0)
        assert health["table"]["age_seconds"] > 1
        assert float(running.ask(key=BOB).headers["Gamekeeper-Table-Age"]) >= 1
        assert "gamekeeper_gateway_table_age_seconds" in running.http.get("/metrics").text
        own_kafka.start()
        with closing(KafkaProducer(bootstrap_servers=own_kafka.url)) as producer:
            write_decision(producer, topics, 2, Action.ALLOW)
        until(lambda: running.ask().status_code == 200, 20)
        until(lambda: _healthy(running), 20)
        read_all(own_kafka.url, topics.predictions, 13)
        assert running.http.get("/healthz").json()["log"]["dropped"] == 0


def _kill(server: embedded.Server) -> None:
    """Kill the broker's own process, as the kernel does when memory is short."""
    for pid in named("kafka.Kafka", str(server.plan.folder)):
        if "guard.py" not in command_line(pid):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not server.alive)


def test_the_age_is_not_told_unless_asked_for(settings: GatewaySettings, topics: Topics) -> None:
    """The header is off by default; where the table was never known it says so."""
    with serving(settings) as running:
        assert "Gamekeeper-Table-Age" not in running.ask().headers
    del topics


def _healthy(running: Running) -> bool:
    return bool(running.http.get("/healthz").json()["status"] == "ok")
