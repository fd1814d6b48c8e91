"""Inline checks: what a proxy is told of a query that it is about to pass on."""

import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationStub
from envoy.type.v3.http_status_pb2 import StatusCode

from detector.decision import Action, Key, Origin, Scope
from gateway.inline import Names
from gateway.policy import parse
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, AWAY, BOB, decision, key_file
from tests.gateway.inline import URI, Asked, behind, checking, listening

POLICY = """
trusted_proxies = ["10.0.0.0/8"]
[defaults.throttle]
limit = {rate = 0.05, burst = 2}
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> GatewaySettings:
    """Return settings without Kafka, with keys from a file."""
    keys = key_file(tmp_path_factory.mktemp("keys"))
    return GatewaySettings(keys_file=keys, policy=parse(POLICY))


@pytest.fixture
def asked(alone: GatewaySettings) -> Iterator[Asked]:
    """Return checks under which nothing is in force."""
    with checking(alone) as running:
        yield running


def test_an_ordinary_query_passes(asked: Asked) -> None:
    """The model server is told whose query it is, and that nothing holds."""
    answer = asked.ask()
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-gamekeeper-client"] == "alice"
    assert answer.headers["x-gamekeeper-action"] == "allow"


def test_a_block(asked: Asked) -> None:
    """A blocked client's query is refused at either door, and not with the reason; others pass."""
    asked.guard.table.apply(decision())
    for path in ("/authz", "/authz/as-is"):
        answer = asked.ask(path)
        assert (answer.status_code, answer.json()["reference"]) == (403, "GK-1-1")
        assert "secret reason" not in answer.text
        assert asked.ask(path, x_api_key=BOB).status_code == 200


def test_a_throttle_is_never_a_429_to_nginx(asked: Asked) -> None:
    """Over its limit a throttled client gets 429 where the proxy passes that on; nginx is told 403, and the rest."""
    asked.guard.table.apply(decision(action=Action.THROTTLE))
    passed = [asked.ask("/authz/as-is") for _ in range(2)]
    assert [(one.status_code, one.headers["x-gamekeeper-action"]) for one in passed] == [(200, "throttle")] * 2
    for path, status in (("/authz/as-is", 429), ("/authz", 403)):
        answer = asked.ask(path)
        assert (answer.status_code, answer.headers["x-gamekeeper-status"]) == (status, "429")
        assert 0 < int(answer.headers["retry-after"]) <= 40
    assert asked.ask(x_api_key=BOB).status_code == 200


def test_perturb_is_told_to_the_model_server(asked: Asked) -> None:
    """The proxy cannot make answers coarser; whoever answers is told to."""
    asked.guard.table.apply(decision(action=Action.PERTURB))
    answer = asked.ask()
    assert (answer.status_code, answer.headers["x-gamekeeper-action"]) == (200, "perturb")


@pytest.mark.parametrize(
    ("key", "status"), [("", 401), ("unknown", 401), ("expired", 401), ("revoked", 401), ("no-role", 403)]
)
def test_who_is_not_known_does_not_pass(asked: Asked, key: str, status: int) -> None:
    """Keys and roles count as at our own gateway."""
    assert asked.ask(x_api_key=key).status_code == 403
    assert asked.ask("/authz/as-is", x_api_key=key).status_code == status


def test_names_from_headers(alone: GatewaySettings) -> None:
    """Where the proxy knows who asks, its headers say so, in UTF-8; without the client's nothing passes."""
    with checking(alone, Names("X-Consumer", "X-Org")) as asked:
        asked.guard.table.apply(decision(key=Key(Scope.TENANT, "acme", "*")))
        named = {b"x-forwarded-uri": URI.encode(), b"x-consumer": "zoë".encode()}
        answer = asked.http.get("/authz", headers=named)
        assert answer.status_code == 200
        assert (b"x-gamekeeper-client", "zoë".encode()) in answer.headers.raw
        assert asked.http.get("/authz", headers={**named, b"x-org": b"acme"}).status_code == 403
        assert asked.http.get("/authz", headers={**named, b"x-consumer": b"a" * 513}).status_code == 403
        assert asked.ask("/authz/as-is").status_code == 401


def test_the_model_is_that_of_the_path(asked: Asked) -> None:
    """A block on one model is none on another; Envoy puts the path after ours, and then no header counts."""
    asked.guard.table.apply(decision(key=Key(Scope.CLIENT, "alice", "digits")))
    assert asked.ask(uri="/v2/models/digits/versions/3/infer?x=1").status_code == 403
    assert asked.ask(uri="/v2/models/letters/infer").status_code == 200
    assert asked.ask("/authz/as-is/v1/models/letters:predict", uri=URI).status_code == 200
    assert asked.ask("/authz/as-is" + URI, uri="/v2/models/letters/infer").status_code == 403


@pytest.mark.parametrize(
    "uri",
    [
        "/classify",
        "",
        "/v1/models/%64igits:predict",
        "/v1/models/letters:predict/../digits:predict",
        "//v1/models/letters:predict",
        "/v1/models/letters/../digits:predict",
    ],
)
def test_a_path_that_is_not_plain_names_no_model(asked: Asked, uri: str) -> None:
    """Then a block on any model holds: nobody gets past one by writing the path in another way."""
    asked.guard.table.apply(decision(key=Key(Scope.CLIENT, "alice", "digits")))
    assert asked.ask(uri=uri).status_code == 403


def test_the_address_is_that_before_the_proxies(asked: Asked) -> None:
    """The proxy that asks says where the query came from; hops before it are believed as far as they are trusted."""
    asked.guard.table.apply(decision(key=Key(Scope.IP, "192.0.2.1", "*")))
    assert asked.ask(x_forwarded_for="192.0.2.1").status_code == 403
    assert asked.ask(x_forwarded_for="192.0.2.1, 10.0.0.1").status_code == 403
    assert asked.ask(x_forwarded_for="192.0.2.1, 198.51.100.1").status_code == 200
    assert asked.ask().status_code == 200


def test_shadow_changes_nothing(alone: GatewaySettings, tmp_path: Path) -> None:
    """Neither a decision in shadow nor one under a gateway's policy in shadow refuses, or is told."""
    keys = key_file(tmp_path)
    shadow = GatewaySettings(keys_file=keys, policy=parse("[defaults]\nshadow = true"))
    for settings, held in ((alone, decision(shadow=True)), (shadow, decision())):
        with checking(settings) as asked:
            asked.guard.table.apply(held)
            answer = asked.ask()
            assert (answer.status_code, answer.headers["x-gamekeeper-action"]) == (200, "allow")


def test_the_allowlist_wins(asked: Asked) -> None:
    """Also where the model is not known."""
    asked.guard.table.apply(decision())
    asked.guard.table.apply(
        decision(key=Key(Scope.CLIENT, "alice", "digits"), action=Action.ALLOW, origin=Origin.ALLOWLIST)
    )
    assert [asked.ask(uri=uri).status_code for uri in (URI, "/classify")] == [200, 200]


def test_closed_while_nothing_is_known(tmp_path: Path) -> None:
    """Without Kafka nobody is let in by key; with `fail_open` off nobody at all, and Envoy is told that we failed."""
    settings = GatewaySettings(keys_file=key_file(tmp_path), bootstrap=AWAY, feed_wait=0, fail_open=False)
    with checking(settings) as asked:
        assert (asked.ask().status_code, asked.ask("/authz/as-is").status_code) == (403, 503)
        assert asked.http.get("/authz/healthz").status_code == 503
        with pytest.raises(grpc.RpcError) as refused:
            check(asked)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_what_is_no_check_goes_on(asked: Asked) -> None:
    """Everything else is the app's behind; how the checks are is told, too."""
    assert asked.http.get("/v1/decisions").text == "behind"
    assert asked.http.get("/authz/nothing").status_code == 404
    assert asked.http.get("/authz/healthz").json()["status"] == "ok"
    asked.ask()
    assert 'gamekeeper_gateway_requests_total{status="200"} 1.0' in asked.http.get("/authz/metrics").text


def check(asked: Asked, key: str = ALICE, path: str = URI, address: str = "198.51.100.7") -> CheckResponse:
    """Ask over gRPC as Envoy does."""
    request = CheckRequest()
    request.attributes.source.address.socket_address.address = address
    request.attributes.request.http.path = path
    request.attributes.request.http.headers["x-api-key"] = key
    with grpc.insecure_channel(asked.grpc) as channel:
        answer: CheckResponse = AuthorizationStub(channel).Check(request, timeout=5)
        return answer


def test_over_grpc(asked: Asked) -> None:
    """Envoy is told the same: headers for the model server, or a status with its headers and body."""
    passed = check(asked)
    told = {one.header.key: one.header.value for one in passed.ok_response.headers}
    assert (passed.status.code, told) == (0, {"x-gamekeeper-client": "alice", "x-gamekeeper-action": "allow"})
    asked.guard.table.apply(decision(action=Action.THROTTLE))
    denied = [check(asked) for _ in range(3)][-1].denied_response
    assert denied.status.code == StatusCode.TooManyRequests
    assert "retry-after" in {one.header.key for one in denied.headers}
    asked.guard.table.apply(decision(serial=2, key=Key(Scope.IP, "198.51.100.7", "*")))
    assert check(asked, BOB).denied_response.status.code == StatusCode.Forbidden
    assert check(asked, BOB, address="198.51.100.8").status.code == 0
    assert check(asked, "unknown").denied_response.status.code == StatusCode.Unauthorized


def test_a_check_costs_at_most_twice_a_bare_endpoint(asked: Asked) -> None:
    """CPU of the serving thread a request, side by side: with 10,000 decisions held, over the same HTTP server."""
    for number in range(10_000):
        asked.guard.table.apply(decision(key=Key(Scope.CLIENT, f"client {number}", "*")))
    with listening(behind) as (url, thread):
        costs = [(cost(url, "/", thread), cost(asked.url, "/authz", asked.thread)) for _ in range(5)]
    bare, ours = min(bare for bare, _ in costs), min(ours for _, ours in costs)
    assert ours <= 2 * bare, f"{ours * 1e6:.0f} µs a check, {bare * 1e6:.0f} µs a bare answer"


def cost(url: str, path: str, thread: threading.Thread, requests: int = 300) -> float:
    """Return the CPU seconds that the serving thread takes a request."""
    assert thread.ident is not None
    clock = time.pthread_getcpuclockid(thread.ident)
    link = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"x-api-key": ALICE, "x-forwarded-uri": URI}
    begun = time.clock_gettime(clock)
    for _ in range(requests):
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        answer.read()
        assert answer.status == 200
    spent = time.clock_gettime(clock) - begun
    link.close()
    return spent / requests
