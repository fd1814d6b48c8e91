"""`gamekeeper doctor` on a real Kafka and a real Postgres: what works is ok, what does not says what to do."""

import json
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner

from consumers import doctor, topics
from consumers.kafka import find
from consumers.store import populations
from consumers.store.engine import connect
from consumers.store.schema import gateways, offsets
from detector.standing import Standing
from detector.topics import Topics
from gamekeeper.cli import app
from tests.store.given import population, saved, verdict

NOBODY = "127.0.0.1:9"  # discard: nobody listens there
Found = dict[tuple[str, str], tuple[str, str]]


@pytest.fixture
def engine(database: str, kafka: str, topics_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Return the database of an installation whose topics are not made yet."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("GAMEKEEPER_TOPIC_PREFIX", topics_prefix)
    monkeypatch.setenv("GAMEKEEPER_PARTITIONS", "2")
    found = connect(database)
    yield found
    found.dispose()


def asked(code: int) -> Found:
    """Return state and text of each line, by check and what was looked at."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(line["do"] for line in lines if line["state"] != "ok")
    return {(line["check"], line["what"]): (line["state"], line["found"]) for line in lines}


def gateway(engine: Engine, name: str, *, silent: float = 0.0, ahead: float = 0.0, age: float | None = 0.5) -> None:
    """Keep a report of a gateway, as old as `silent`; its clock is `ahead`."""
    heard = datetime.now(UTC) - timedelta(seconds=silent)
    told = {"decisions": 3, "dropped": 0, "table_age_seconds": age}
    times = {"heard": heard, "reported": heard + timedelta(seconds=ahead)}
    with engine.begin() as connection:
        connection.execute(insert(gateways).values(name=name, **told, **times))


def read(engine: Engine, topic: str, life: str, seconds: float) -> None:
    """Keep that two partitions were read up to offset 1, so long ago."""
    place = {"consumer_group": "gamekeeper-detect", "topic": topic, "topic_id": life, "epoch": 1}
    saved_at = datetime.now(UTC) - timedelta(seconds=seconds)
    with engine.begin() as connection:
        for number in range(2):
            connection.execute(insert(offsets).values(**place, partition=number, next=1, saved=saved_at, lost=number))


@pytest.mark.usefixtures("engine")
def test_all_is_well(kafka: str, topics_prefix: str) -> None:
    """Of a new installation nothing fails; a table says the same."""
    topics.ensure(kafka, 2, topics_prefix)
    found = asked(0)
    assert {state for state, _ in found.values()} == {"ok", "warn"}
    assert found["topics", Topics(topics_prefix).predictions] == ("ok", "2 partitions")
    assert found["offsets", "offsets"] == ("warn", "never read: partitions 0, 1")
    assert found["clocks", "Postgres"][0] == "ok"
    shown = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "1000"})
    assert "start gamekeeper detect" in shown.stdout
    assert shown.exit_code == 0


def test_what_is_wrong_is_said(engine: Engine, kafka: str, topics_prefix: str) -> None:
    """Nobody reads, a gateway is silent, another's clock is wrong, nobody delivers, an endpoint is private."""
    topics.ensure(kafka, 4, topics_prefix)
    topic = Topics(topics_prefix).predictions
    life = find(kafka, topic)
    assert life is not None
    with KafkaProducer(bootstrap_servers=kafka) as producer:
        for number in (0, 0, 1, 2, 3):
            producer.send(topic, b"{}", partition=number)
    read(engine, topic, life.id, 600)
    gateway(engine, "edge-1", silent=600)
    gateway(engine, "edge-2", ahead=120)
    gateway(engine, "edge-3", age=None)
    saved(engine, verdict(Standing.CONFIRMED))
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET due = now() - interval '5 minutes'"))
    found = asked(1)
    assert found["topics", topic] == ("warn", "has 4 partitions, should have 2")
    assert found["offsets", "offsets"] == ("warn", "never read: partitions 2, 3")
    assert found["offsets", "lag"][0] == "fail"
    assert found["offsets", "lost"] == ("warn", "1 records were removed before they were read")
    states = {name: state for (check, name), (state, _) in found.items() if check == "gateways"}
    assert states == {"edge-1": "fail", "edge-2": "ok", "edge-3": "fail"}
    assert found["clocks", "edge-2"] == ("fail", "120.0 s ahead of Postgres")
    assert found["clocks", "edge-1"][0] == "ok"
    assert found["deliveries", "deliveries"][0] == "fail"
    assert found["populations", "digits"][0] == "warn"


def test_how_far_it_is_read(engine: Engine, kafka: str, topics_prefix: str) -> None:
    """Past the end of the topic something was lost; at the end nothing waits."""
    topics.ensure(kafka, 2, topics_prefix)
    topic = Topics(topics_prefix).predictions
    life = find(kafka, topic)
    assert life is not None
    read(engine, topic, life.id, 0)
    assert asked(1)["offsets", "offsets"] == ("fail", "past the end of the topic: partitions 0, 1")
    with KafkaProducer(bootstrap_servers=kafka) as producer:
        for number in range(2):
            producer.send(topic, b"{}", partition=number)
    found = asked(0)
    assert found["offsets", "offsets"] == ("ok", "all 2 partitions have been read")
    assert found["offsets", "lag"] == ("ok", "nothing waits")


def test_populations_have_an_age_and_a_size(engine: Engine) -> None:
    """An old one is told of with its age; without topics nothing says how far they were read."""
    population(engine, "p1")
    populations.use(engine, "digits", "p1", "ann")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE populations SET until = now() - interval '100 days', known = 1234, cold = false")
        )
    found = asked(1)
    assert found["populations", "digits"] == ("warn", "p1: 1,234 ordinary clients, 100 days old")
    assert found["offsets", "offsets"] == ("warn", "not looked at")


@pytest.mark.usefixtures("engine")
def test_kafka_away_and_an_endpoint_that_nobody_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no Kafka is looked at all the same; a private address and a closed port each say so."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", NOBODY)
    monkeypatch.setenv("GAMEKEEPER_WEBHOOKS", f"ops=http://{NOBODY}/")
    monkeypatch.setenv("GAMEKEEPER_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    monkeypatch.setenv("GAMEKEEPER_PUSH", f"edge=http://{NOBODY}/")
    found = asked(1)
    assert found["kafka", NOBODY][0] == "fail"
    assert found["topics", "topics"] == ("warn", "not looked at")
    assert found["schema", "schema"][0] == "ok"
    assert "private" in found["channels", "webhook:ops"][1]
    assert "refused" in found["channels", "push:edge"][1].lower()


@pytest.mark.usefixtures("engine")
def test_one_broker_of_two_is_away(kafka: str, topics_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on with the other, and a person should know."""
    topics.ensure(kafka, 2, topics_prefix)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"{NOBODY},{kafka}")
    found = asked(0)
    assert (found["kafka", NOBODY][0], found["kafka", kafka]) == ("warn", ("ok", "lets us in"))


def test_an_old_schema_fails(engine: Engine) -> None:
    """And what lies in the database is not looked at then."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    found = asked(1)
    assert found["schema", "schema"][0] == "fail"
    assert found["gateways", "gateways"] == ("warn", "not looked at")


def test_every_check_is_registered() -> None:
    """Each file but the one of words is a check of the registry, and needs only what comes before it."""
    files = {one.name for one in pkgutil.iter_modules(doctor.__path__)} - {"finding"}
    assert {check.look.__module__.rpartition(".")[2] for check in doctor.CHECKS.values()} == files
    names = list(doctor.CHECKS)
    for at, check in enumerate(doctor.CHECKS.values()):
        assert set(check.needs) <= set(names[:at])
