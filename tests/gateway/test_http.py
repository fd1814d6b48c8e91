"""The HTTP door over a real socket: both protocols, the ladder, push, health."""

import dataclasses
import json
from collections.abc import Iterator

import numpy as np
import pytest
from structlog.testing import capture_logs

from detector.decision import Action, Key, Origin, Scope
from detector.records import encode_decision
from gateway.access import hashed
from gateway.policy import parse
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, AWAY, BOB, FAR, TOKEN, Running, decision, images, key_line, serving, until

KEY = {"Authorization": f"Bearer {ALICE}"}
PREDICT = "/v1/models/digits:predict"


def test_v1_predicts(shared_gateway: Running) -> None:
    """Instances get predictions, in order, which are the model's own probabilities."""
    answer = shared_gateway.ask(rows=3)
    assert answer.status_code == 200
    predictions = np.array(answer.json()["predictions"])
    assert predictions.shape == (3, 10)
    np.testing.assert_allclose(predictions.sum(axis=1), 1, atol=1e-5)
    single = shared_gateway.http.post(PREDICT, json={"instances": images(3)[1:2].tolist()}, headers=KEY)
    np.testing.assert_allclose(single.json()["predictions"][0], predictions[1], atol=1e-6)


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
@pytest.mark.parametrize("flat", [True, False])
def test_v2_infers(shared_gateway: Running, datatype: str, flat: bool) -> None:
    """Flat and nested tensors of every float type get the same answer as in v1."""
    batch = images(2)
    data = batch.ravel().tolist() if flat else batch.tolist()
    tensor = {"name": "input", "shape": [2, 8, 8], "datatype": datatype, "data": data}
    answer = shared_gateway.http.post(
        "/v2/models/digits/infer", json={"id": "42", "inputs": [tensor]}, headers=KEY
    ).json()
    assert (answer["id"], answer["model_name"]) == ("42", "digits")
    output = answer["outputs"][0]
    assert (output["shape"], output["datatype"]) == ([2, 10], "FP32")
    expected = np.array(shared_gateway.ask(rows=2).json()["predictions"]).ravel()
    np.testing.assert_allclose(output["data"], expected, atol=1e-6)


def test_v2_takes_bytes(shared_gateway: Running) -> None:
    """UINT8 pixels are numbers like any others."""
    tensor = {"name": "input", "shape": [1, 8, 8], "datatype": "UINT8", "data": [[[255] * 8] * 8]}
    answer = shared_gateway.http.post("/v2/models/digits/infer", json={"inputs": [tensor]}, headers=KEY)
    assert answer.status_code == 200


def test_describes_models(shared_gateway: Running) -> None:
    """State and metadata are told to those with a key, in the form of either protocol."""
    http = shared_gateway.http
    state = http.get("/v1/models/digits", headers=KEY).json()["model_version_status"][0]
    assert state["state"] == "AVAILABLE"
    signature = http.get("/v1/models/digits/metadata", headers=KEY).json()["metadata"]["signature_def"]
    inputs = next(iter(signature["signature_def"]["serving_default"]["inputs"].values()))
    assert [size["size"] for size in inputs["tensor_shape"]["dim"]] == ["-1", "8", "8"]
    about = http.get("/v2/models/digits", headers=KEY).json()
    assert (about["inputs"][0]["shape"], about["outputs"][0]["shape"]) == ([-1, 8, 8], [-1, 10])
    assert http.get("/v2/models/digits/ready", headers=KEY).status_code == 200
    assert http.get("/v2", headers=KEY).json()["name"] == "gamekeeper"
    assert http.get("/v2/models/digits").status_code == 401
    assert http.get("/v2/models/nothing", headers=KEY).status_code == 404


def test_ladder(gateway: Running) -> None:
    """Perturb rounds, throttle leaves the label and limits the rate, block refuses: until when, and not why."""
    table = gateway.parts.guard.table
    true = np.array(gateway.ask().json()["predictions"][0])
    table.apply(decision(1, Action.PERTURB))
    rounded = np.array(gateway.ask().json()["predictions"][0])
    assert set((rounded * 10).round(5)) <= set(range(11))
    assert rounded.argmax() == true.argmax()

    table.apply(decision(2, Action.THROTTLE))
    label = gateway.ask().json()["predictions"][0]
    assert sorted(label) == [0.0] * 9 + [1.0]
    assert label.index(1.0) == true.argmax()
    limited = [gateway.ask() for _ in range(4)][-1]
    assert limited.status_code == 429
    assert 1 <= int(limited.headers["Retry-After"]) <= 60
    assert limited.json()["code"] == "too_many_requests"
    assert gateway.ask(key=BOB).status_code == 200

    table.apply(decision(3, Action.BLOCK))
    calls = gateway.calls
    refused = gateway.ask()
    assert refused.status_code == 403
    assert refused.json()["until"] == "2096-10-02T07:06:40Z"
    assert refused.json()["reference"] == "GK-3-3"
    assert "secret" not in refused.text
    assert gateway.calls == calls
    table.apply(decision(4, Action.ALLOW, until=0))
    assert gateway.ask().json()["predictions"][0] == pytest.approx(true, abs=1e-6)


def test_throttle_counts_rows(gateway: Running) -> None:
    """A batch cannot carry more rows past the limit than single questions could."""
    gateway.parts.guard.table.apply(decision(1, Action.THROTTLE))
    assert gateway.ask(rows=3).status_code == 200
    assert gateway.ask(rows=1).status_code == 429
    calls = gateway.calls
    assert gateway.ask(rows=4).status_code == 429
    assert gateway.calls == calls


def test_every_answer_says_how_the_limits_stand(gateway: Running) -> None:
    """RateLimit fields come with answers and refusals alike; a body that is no question spends nothing."""
    answers = [gateway.ask(rows=3), gateway.http.post(PREDICT, content=b"{", headers=KEY), gateway.ask(rows=2)]
    assert [answer.status_code for answer in answers] == [200, 400, 200]
    assert [answer.headers["RateLimit"] for answer in answers] == [
        '"client";r=1997;t=20',
        '"client";r=1997;t=20',
        '"client";r=1995;t=20',
    ]
    gateway.parts.guard.table.apply(decision(1, Action.THROTTLE))
    refused = gateway.ask(rows=4)
    assert refused.headers["RateLimit-Policy"] == '"client";q=3;w=60'
    assert refused.headers["RateLimit"] == f'"client";r=3;t={refused.headers["Retry-After"]}'
    assert gateway.ask(rows=3).status_code == 200


def test_a_request_that_no_limit_can_hold(alone: GatewaySettings) -> None:
    """More rows than a limit ever holds are too large, and not worth another try."""
    with serving(
        dataclasses.replace(alone, policy=parse("[defaults.limits]\nmodel = {rate = 5, burst = 5}"))
    ) as running:
        refused = running.ask(rows=6)
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
        assert "5 rows" in refused.json()["error"]
        assert "Retry-After" not in refused.headers
        assert running.calls == 0
        assert running.ask(rows=5).status_code == 200
        assert running.ask(rows=1, key=BOB).status_code == 429


def test_decisions_about_tenant_and_address(gateway: Running) -> None:
    """A tenant's and an address's decisions bind their clients; the allowlist goes before them."""
    table = gateway.parts.guard.table
    table.apply(decision(1, key=Key(Scope.TENANT, "acme", "digits")))
    assert gateway.ask().status_code == 403
    table.apply(decision(1, Action.ALLOW, origin=Origin.ALLOWLIST))
    assert gateway.ask().status_code == 200
    assert gateway.ask(key=BOB).status_code == 403
    table.apply(decision(2, Action.ALLOW, key=Key(Scope.TENANT, "acme", "digits")))
    table.apply(decision(1, key=Key(Scope.IP, "127.0.0.1", "*")))
    assert gateway.ask(key=BOB).status_code == 403


def test_push(gateway: Running) -> None:
    """A pushed decision is in force with its answer; older ones, bad ones and strangers' change nothing."""

    def push(content: bytes, token: str = TOKEN) -> tuple[int, dict[str, object]]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = gateway.http.post("/gamekeeper/decisions", content=content, headers=headers)
        return answer.status_code, answer.json()

    block = encode_decision(decision(2))
    assert push(block, "wrong")[0] == 401
    assert push(block, ALICE)[0] == 401
    assert gateway.ask().status_code == 200
    assert push(block) == (200, {"applied": True, "id": 2, "serial": 2})
    assert gateway.ask().status_code == 403
    assert push(block) == (200, {"applied": False, "id": 2, "serial": 2})
    assert push(encode_decision(decision(1, Action.ALLOW)))[1]["applied"] is False
    assert push(b'{"id":1}')[0] == 400
    assert push(b"x" * 100_000)[0] == 413
    assert gateway.ask().status_code == 403


def test_push_is_off_without_token(alone: GatewaySettings) -> None:
    """Without a token of its own a gateway takes no pushes, whatever the caller sends."""
    with serving(dataclasses.replace(alone, push_token=None)) as running:
        answer = running.http.post("/gamekeeper/decisions", content=encode_decision(decision()))
        assert answer.status_code == 404


def test_health_and_metrics(gateway: Running) -> None:
    """Health and metrics need no key and tell what happened."""
    http = gateway.http
    assert http.get("/v2/health/live").status_code == 200
    assert http.get("/v2/health/ready").status_code == 200
    gateway.parts.guard.table.apply(decision(until=FAR))
    gateway.ask()
    gateway.ask(key="nobody")
    gateway.ask(key=BOB)
    health = http.get("/healthz")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert health.json()["table"] == {"decisions": 1, "state": "off"}
    text = http.get("/metrics").text
    assert 'gamekeeper_gateway_requests_total{status="403"} 1.0' in text
    assert 'gamekeeper_gateway_refusals_total{code="unknown_key"} 1.0' in text
    assert 'gamekeeper_gateway_rows_total{action="allow",model="digits"} 1.0' in text
    assert "gamekeeper_gateway_decisions 1.0" in text


def test_serves_while_kafka_is_away(alone: GatewaySettings) -> None:
    """With Kafka away the gateway answers, keeps the log in memory, and says in /healthz what is wrong."""
    with serving(dataclasses.replace(alone, bootstrap=AWAY, feed_wait=0.1)) as running:
        assert running.ask(rows=5).status_code == 200
        assert running.ask(rows=7).status_code == 200
        until(lambda: running.http.get("/healthz").json()["log"]["why"])
        health = running.http.get("/healthz")
        assert health.status_code == 200
        assert health.json()["status"] == "degraded"
        assert health.json()["table"]["state"] == "lost"
        assert "no broker answers" in health.json()["why"]
        assert health.json()["log"]["dropped"] == 0
    assert running.parts.guard.log.dropped == 12


def test_fail_closed_refuses_while_kafka_is_away(alone: GatewaySettings) -> None:
    """Told to fail closed, it refuses with 503 until it knows the decisions in force; the model is not called."""
    settings = dataclasses.replace(alone, bootstrap=AWAY, feed_wait=0.1, fail_open=False)
    with serving(settings) as running:
        refused = running.ask()
        assert (refused.status_code, refused.json()["code"]) == (503, "decisions_unknown")
        assert running.http.get("/v2/health/ready").status_code == 503
        assert running.http.get("/healthz").status_code == 503
        assert running.calls == 0


def test_nobody_gets_in_while_keys_are_unknown(alone: GatewaySettings) -> None:
    """With keys from Kafka, and Kafka away, nobody gets in, known or not: 503, ask again."""
    settings = dataclasses.replace(alone, bootstrap=AWAY, feed_wait=0.1, keys_file=None)
    with serving(settings) as running:
        refused = running.ask()
        assert (refused.status_code, refused.json()["code"]) == (503, "keys_unknown")
        assert refused.headers["Retry-After"] == "1"
        assert running.http.get("/v2/health/ready").status_code == 503


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("digits", PREDICT, 200),
        ("digits", "/v1/models/digits", 200),
        ("digits", "/v2", 200),
        ("digits", "/v1/models/letters:predict", 403),
        ("digits", "/v2/models/letters/infer", 403),
        ("digits", "/v2/models/letters/ready", 403),
        ("predict", "/v1/models/letters:predict", 404),
        ("predict", "/v2/models/letters", 404),
        ("looker", "/v1/models/digits/metadata", 200),
        ("looker", "/v2/models/digits/ready", 200),
        ("looker", PREDICT, 403),
        ("asker", PREDICT, 200),
        ("asker", "/v1/models/digits/metadata", 403),
        ("nobody-made-this", PREDICT, 403),
        ("nobody-made-this", "/v2", 403),
        ("nobody-made-this", "/nothing", 403),
    ],
)
def test_roles(roles_gateway: Running, role: str, path: str, status: int) -> None:
    """Roles permit operations on models; who may not see a model does not learn whether it is there."""
    asked = {"instances": images().tolist()} if path.endswith((":predict", "/infer")) else None
    calls, key = roles_gateway.calls, {"X-API-Key": role}
    answer = roles_gateway.http.request("POST" if asked else "GET", path, headers=key, json=asked)
    assert answer.status_code == status
    assert roles_gateway.calls == calls + (path == PREDICT and status == 200)
    if status == 403:
        assert answer.json()["code"] == "not_allowed"


@pytest.fixture(scope="module")
def roles_gateway(alone: GatewaySettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a gateway with a key for each of several roles, named after it."""
    names = ("digits", "predict", "looker", "asker", "nobody-made-this")
    roles = (
        {"v": 1, "role": "digits", "models": ["digits"]},
        {"v": 1, "role": "looker", "operations": ["metadata"]},
        {"v": 1, "role": "asker", "operations": ["predict"]},
    )
    path = tmp_path_factory.mktemp("roles") / "keys.jsonl"
    path.write_text("\n".join([*(key_line(name, name, roles=[name]) for name in names), *map(json.dumps, roles)]))
    with serving(dataclasses.replace(alone, keys_file=path)) as running:
        yield running


def test_refusals_are_counted_and_logged(gateway: Running) -> None:
    """Each refusal is a metric by its reason, and a line with the client and the prefix of its key, never the key."""
    with capture_logs() as lines:
        assert gateway.ask(key="nobody").status_code == 401
        assert gateway.ask(key="revoked").status_code == 401
        assert gateway.ask(key="no-role").status_code == 403
        assert gateway.http.post(PREDICT, content=b"{", headers=KEY).status_code == 400
    refused = [line for line in lines if line["event"] == "refused"]
    assert [(line["reason"], line.get("client"), line.get("model")) for line in refused] == [
        ("unknown_key", None, None), ("revoked_key", "dave", None), ("not_allowed", "erin", "digits"),
        ("not_json", "alice", "digits"),
    ]  # fmt: skip
    assert [line.get("credential") for line in refused] == [
        None, hashed("revoked")[:8], hashed("no-role")[:8], hashed(ALICE)[:8],
    ]  # fmt: skip
    metrics = gateway.http.get("/metrics").text
    for code in ("unknown_key", "revoked_key", "not_allowed"):
        assert f'gamekeeper_gateway_refusals_total{{code="{code}"}} 1.0' in metrics


def test_unknown_paths(shared_gateway: Running) -> None:
    """Whatever is not there is 401 without a key and 404 with one, in JSON."""
    http = shared_gateway.http
    assert http.get("/openapi.json").status_code == 401
    assert http.get("/nothing", headers=KEY).status_code == 404
    assert json.loads(http.get("/nothing", headers=KEY).text)["code"] == "no_such_path"
