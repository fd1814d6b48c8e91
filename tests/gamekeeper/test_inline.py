"""`gamekeeper api` with inline checks: from a person's decision, over Kafka, to what a proxy is told."""

import signal
import subprocess
import sys
from pathlib import Path

import grpc
import httpx
import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationStub

from consumers import topics
from consumers.store import keys
from consumers.store.engine import connect
from consumers.store.people import Said
from detector.decision import Key, Scope
from detector.records import ApiKey, decision_key, encode_api_key, encode_decision
from detector.topics import Topics
from gamekeeper import settings
from gamekeeper.embedded.server import free_port
from tests.gamekeeper.processes import eventually
from tests.gateway.build import decision
from tests.gateway.inline import URI

PEPPER = "a pepper of ours"
READY_SECONDS = 120.0  # on a machine that runs other tests


def test_the_api_answers_checks(kafka: str, database: str, topics_prefix: str, tmp_path: Path) -> None:
    """Keys and decisions of the topics are in force over HTTP and gRPC; SIGTERM ends it all."""
    topics.ensure(kafka, 1, topics_prefix)
    engine = connect(database)
    made = keys.add_client_key(engine, keys.Holder("alice"), Said("ann", "a test"), PEPPER.encode())
    engine.dispose()
    key = ApiKey(hash=made.hash, client="alice", roles=("predict",))
    _produce(kafka, Topics(topics_prefix).keys, made.hash.encode(), encode_api_key(key))
    api, checks = free_port(), free_port()
    environment = settings.environment(
        {
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "DATABASE_URL": database,
            "GAMEKEEPER_TOPIC_PREFIX": topics_prefix,
            "GAMEKEEPER_KEY_PEPPER": PEPPER,
            "GAMEKEEPER_API_PORT": str(api),
            "GAMEKEEPER_AUTHZ": "yes",
            "GAMEKEEPER_AUTHZ_GRPC_PORT": str(checks),
        }
    )
    url, told = f"http://127.0.0.1:{api}", {"x-api-key": made.secret, "x-forwarded-uri": URI}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "gamekeeper", "api"], env=environment, stderr=log, stdout=log)
    try:
        eventually(lambda: process.poll() is not None or _status(f"{url}/authz", told) == 200, READY_SECONDS)
        held = decision(key=Key(Scope.CLIENT, "alice", "digits"))
        _produce(kafka, Topics(topics_prefix).decisions, decision_key(held), encode_decision(held))
        eventually(lambda: _status(f"{url}/authz", told) == 403)
        assert _over_grpc(checks, made.secret) == 403
        assert httpx.get(f"{url}/health").json() == {"status": "up"}
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, (tmp_path / "log").read_text()


def test_checks_need_kafka(tmp_path: Path) -> None:
    """Without it the api says in one line what to set."""
    unset = {setting.name: "" for setting in settings.SETTINGS}
    told = {
        "GAMEKEEPER_DATA": str(tmp_path),
        "DATABASE_URL": "postgresql+psycopg2://x@localhost/x",
        "GAMEKEEPER_AUTHZ": "yes",
    }
    command = [sys.executable, "-m", "gamekeeper", "api"]
    done = subprocess.run(command, env=settings.environment(unset | told), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("value", ["x consumer", "x:y", "é"])
def test_a_header_that_is_none(value: str) -> None:
    """It is named before anything starts."""
    with pytest.raises(settings.BadSettings, match="GAMEKEEPER_AUTHZ_CLIENT_HEADER must be a header's name"):
        settings.load({"GAMEKEEPER_AUTHZ_CLIENT_HEADER": value})


def _produce(kafka: str, topic: str, key: bytes, value: bytes) -> None:
    from consumers.kafka import Producer  # noqa: PLC0415  # warns when imported

    producer = Producer(kafka)
    producer.send(topic, key, value)
    producer.close()


def _status(url: str, headers: dict[str, str]) -> int | None:
    try:
        return httpx.get(url, headers=headers).status_code
    except httpx.TransportError:
        return None


def _over_grpc(port: int, secret: str) -> int:
    request = CheckRequest()
    request.attributes.request.http.path = URI
    request.attributes.request.http.headers["x-api-key"] = secret
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        status: int = AuthorizationStub(channel).Check(request, timeout=5).denied_response.status.code
        return status
