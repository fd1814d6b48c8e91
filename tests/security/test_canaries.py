"""Secrets stay where they were put: each is a canary, everything runs and fails, all that was written is searched."""

import base64
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from consumers import topics
from consumers.kafka import Tail, written
from consumers.store.engine import connect
from consumers.store.facts import Channels
from detector.brokers import Brokers
from detector.standing import Standing
from detector.topics import Topics
from detector.wire import RawRecord
from gamekeeper import brokers, settings, shown
from gamekeeper.embedded.server import free_port
from gateway.access import hashed
from tests.conftest import administer
from tests.consumers.endpoint import Endpoint, listening
from tests.gamekeeper.processes import command_line, eventually
from tests.gateway.build import images, save_model, until
from tests.security.conftest import PASSWORD, Guarded
from tests.store.given import saved, verdict

ROLE = "canary_role"
UNSET = {setting.name: "" for setting in settings.SETTINGS}
PATIENCE = 200.0  # seconds; four processes start beside whatever else this machine does
LONG_RUNNING = ("detect", "deliver", "api", "gateway")
"""Those that have /healthz and /metrics."""


def canary(name: str) -> str:
    """Return a secret that nothing else could hold."""
    return f"canary-{name}-{secrets.token_hex(8)}"


DATABASE, HOOK, PUSH, LIMITS, PEPPER, MODEL, TOKEN, STRANGER = (
    canary(name) for name in ("database", "hook", "push", "limits", "pepper", "model", "token", "stranger")
)
GATEWAY = canary("gateway-secret-of-32-characters")
LINKS = canary("secret-of-links-of-32-characters")
SIGNING = base64.b64encode(canary("signing").encode()).decode()
MARKS = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
PLANTED = {
    "DATABASE_URL": DATABASE,
    "GAMEKEEPER_KAFKA_PASSWORD": PASSWORD,
    "GAMEKEEPER_WEBHOOKS": HOOK,
    "GAMEKEEPER_WEBHOOK_SECRET": SIGNING,
    "GAMEKEEPER_PUSH": PUSH,
    "GAMEKEEPER_PUSH_TOKEN": TOKEN,
    "GAMEKEEPER_GATEWAY_SECRET": GATEWAY,
    "GAMEKEEPER_LIMITS_STORE": LIMITS,
    "GAMEKEEPER_MODEL_KEY": MODEL,
    "GAMEKEEPER_KEY_PEPPER": PEPPER,
    "GAMEKEEPER_MARKS_KEY": MARKS,
    "GAMEKEEPER_LINK_SECRET": LINKS,
}


@dataclass
class Installation:
    """Everything with canaries in it, and all that it wrote."""

    environ: dict[str, str]
    folder: Path
    hook: Endpoint
    said: dict[str, str] = field(default_factory=dict)  # where: what

    def run(self, name: str, *arguments: str, **changes: str) -> str:
        """Run a command to its end; return its output, which is kept."""
        done = subprocess.run(
            [sys.executable, "-m", "gamekeeper", *arguments],
            env=settings.environment(UNSET | self.environ | changes),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.said[name] = done.stdout + done.stderr
        return done.stdout

    def start(self, stack: ExitStack, name: str, **changes: str) -> str:
        """Start a process of ours; return where it answers. Its output and its words are kept."""
        port = str(free_port())
        ports = {f"GAMEKEEPER_{which}_PORT": port for which in ("GATEWAY", "API", "METRICS")}
        label = " ".join((name, *changes))
        log = stack.enter_context((self.folder / f"{label}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "gamekeeper", name],
            env=settings.environment(UNSET | self.environ | ports | changes),
            stdout=log,
            stderr=log,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        eventually(lambda: name in command_line(process.pid))
        self.said[f"the words of {label}"] = command_line(process.pid)
        return f"http://127.0.0.1:{port}"

    def ask(self, url: str, path: str) -> str:
        """Return what a process answers, which is kept; nothing while it does not."""
        try:
            self.said[url + path] = httpx.get(url + path, timeout=5).text
        except httpx.HTTPError:
            return ""
        return self.said[url + path]


@pytest.fixture
def installation(guarded: Guarded, database: str, topics_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    """Return an installation with a canary in every secret setting."""
    administer(database, f"CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{DATABASE}'")
    url = make_url(database).set(username=ROLE, password=DATABASE).render_as_string(hide_password=False)
    save_model(tmp_path / "models" / "digits.keras")
    with listening(500) as hook:
        environ = guarded.environment("SASL_SSL") | {
            "DATABASE_URL": url,
            "GAMEKEEPER_TOPIC_PREFIX": topics_prefix,
            "GAMEKEEPER_GROUP": f"{topics_prefix}group",
            "GAMEKEEPER_MODELS": str(tmp_path / "models"),
            "GAMEKEEPER_WEBHOOKS": f"ops=http://me:{HOOK}@127.0.0.1:{hook.port}/{HOOK}?t={HOOK}",
            "GAMEKEEPER_WEBHOOK_SECRET": f"whsec_{SIGNING}",
            "GAMEKEEPER_WEBHOOK_PRIVATE": "yes",
            "GAMEKEEPER_PUSH": f"edge=http://me:{PUSH}@127.0.0.1:9/{PUSH}",
            "GAMEKEEPER_PUSH_TOKEN": TOKEN,
            "GAMEKEEPER_GATEWAY_SECRET": GATEWAY,
            "GAMEKEEPER_LIMITS_STORE": f"redis://:{LIMITS}@127.0.0.1:9/0",
            "GAMEKEEPER_MODEL_KEY": MODEL,
            "GAMEKEEPER_KEY_PEPPER": PEPPER,
            "GAMEKEEPER_MARKS_KEY": MARKS,
            "GAMEKEEPER_LINK_SECRET": LINKS,
            "GAMEKEEPER_LOG_LEVEL": "debug",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        yield Installation(environ, tmp_path, hook)
    administer(database, f"DROP OWNED BY {ROLE} CASCADE")
    administer(database, f"DROP ROLE {ROLE}")


def test_every_secret_setting_has_a_canary() -> None:
    """A new secret cannot be forgotten here."""
    assert set(PLANTED) == {setting.name for setting in settings.SETTINGS if setting.secret}


@pytest.mark.timeout(600)
def test_no_secret_is_written_anywhere(installation: Installation) -> None:
    """Commands and processes, as they work and as they fail: logs, answers, words, Postgres, topics."""
    found = settings.load(installation.environ)
    kafka = brokers.kafka(found)
    topics.ensure(kafka, 1, found.topic_prefix)
    with ExitStack() as stack:
        urls = {name: installation.start(stack, name) for name in LONG_RUNNING}
        key = installation.run("keys add", "keys", "add", "alice").strip()
        installation.said["keys add"] = ""  # shown once: that is its purpose
        owe_everybody(installation)
        fail_in_every_way(installation)
        until(lambda: "table" in installation.ask(urls["gateway"], "/healthz"), PATIENCE)
        until(lambda: ask(urls["gateway"], key) == httpx.codes.OK, PATIENCE)
        assert ask(urls["gateway"], STRANGER) == httpx.codes.UNAUTHORIZED
        until(lambda: installation.hook.received, PATIENCE)
        until(lambda: read(installation) == 2, PATIENCE)
        until(lambda: written(kafka, Topics(found.topic_prefix).decisions) == 1, PATIENCE)
        for url in urls.values():
            installation.ask(url, "/healthz")
            installation.ask(url, "/metrics")
    installation.said["postgres"] = everything_stored(installation)
    installation.said["topics"] = everything_on_topics(installation)
    for log in installation.folder.glob("*.log"):
        installation.said[log.name] = log.read_text(errors="replace")
    assert "not delivered" in installation.said["deliver.log"]
    assert hashed(key, PEPPER.encode()) in installation.said["topics"]
    for secret in (*PLANTED.values(), STRANGER, key, base64.b64decode(SIGNING).decode()):
        assert [where for where, what in installation.said.items() if secret in what] == []


def ask(url: str, key: str) -> int:
    """Ask the model about two inputs; return the status."""
    body = {"instances": images(2).tolist()}
    return httpx.post(f"{url}/v1/models/digits:predict", json=body, headers={"X-API-Key": key}, timeout=60).status_code


def fail_in_every_way(installation: Installation) -> None:
    """Let commands fail at passwords, hosts and settings, and list the settings, right and wrong."""
    environ, url = installation.environ, installation.environ["DATABASE_URL"]
    wrong = {"DATABASE_URL": url.replace(DATABASE, DATABASE + "x"), "GAMEKEEPER_KAFKA_PASSWORD": PASSWORD + "x"}
    installation.run("settings", "settings")
    installation.run("clients wrong", "clients", **wrong)
    installation.run("topics wrong", "topics", **wrong)
    installation.run("clients away", "clients", DATABASE_URL=url.replace("127.0.0.1", "no-such-host.invalid"))
    installation.run(
        "learn", "learn", "kafka://none", "--out", "/dev/null", "--model", "http://127.0.0.1:9/v1/models/x"
    )
    bad = {name: f"\u00fc {environ[name]}" for name in PLANTED}
    installation.said["wrong settings"] = repr(shown.values(environ | bad))
    for name, value in bad.items():
        try:
            settings.load(environ | {name: value})
        except settings.BadSettings as error:
            installation.said[f"wrong {name}"] = str(error)
    assert {"wrong DATABASE_URL", "wrong GAMEKEEPER_MARKS_KEY"} <= set(installation.said)


def owe_everybody(installation: Installation) -> None:
    """Owe an alert to the webhook and a decision to the topic and to the push channel; neither endpoint works."""
    engine = connect(installation.environ["DATABASE_URL"])
    saved(engine, verdict(Standing.CONFIRMED), channels=Channels(("topic", "push:edge"), ("webhook:ops",)))
    engine.dispose()


def read(installation: Installation) -> int:
    """Return how many predictions were read."""
    engine = connect(installation.environ["DATABASE_URL"])
    with engine.connect() as connection:
        sums = text("SELECT coalesce(sum(scored + counted + unreadable), 0) FROM offsets WHERE topic <> 'predictions'")
        found = int(connection.execute(sums).scalar_one())
    engine.dispose()
    return found


def everything_stored(installation: Installation) -> str:
    """Return every row of every table of ours, as text."""
    engine = connect(installation.environ["DATABASE_URL"])
    names = text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')")
    with engine.connect() as connection:
        tables = connection.execute(names).scalars().all()
        assert {"deliveries", "audit_log", "api_keys", "gateways", "unreadable"} <= set(tables)
        rows = [connection.execute(text(f"SELECT t::text FROM {name} t")).scalars().all() for name in tables]  # noqa: S608
    engine.dispose()
    return repr(rows)


def everything_on_topics(installation: Installation) -> str:
    """Return every record of every topic."""
    found = settings.load(installation.environ)
    names, kafka = Topics(found.topic_prefix), brokers.kafka(found)
    topics_of_ours = (names.predictions, names.decisions, names.keys, names.gateway_status)
    return repr([record for topic in topics_of_ours for record in all_of(kafka, topic)])


def all_of(kafka: Brokers, topic: str) -> list[RawRecord]:
    """Return every record of a topic."""
    wanted, records = written(kafka, topic), list[RawRecord]()
    with closing(Tail(kafka, topic)) as tail:

        def complete() -> bool:
            records.extend(tail.poll(0.5))
            return len(records) >= wanted

        until(complete, PATIENCE)
    return records
