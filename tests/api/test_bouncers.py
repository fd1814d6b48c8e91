"""What bouncers are told, line by line of what their source and their runs ask for."""

import gzip
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from consumers.store import keys, people
from detector.decision import Action, Scope
from detector.standing import Standing
from tests.api.conftest import CHANNELS, SAID, Api
from tests.store.given import rows, saved, snapshot, verdict

USAGE = {
    "remediation_components": [
        {
            "name": "mx-test",
            "type": "crowdsec-nodejs-bouncer",
            "version": "v1.0.0",
            "feature_flags": [],
            "utc_startup_timestamp": 1795438404,
            "metrics": [
                {
                    "meta": {"window_size_seconds": 0, "utc_now_timestamp": 1795438404},
                    "items": [
                        {"name": "dropped", "value": 3, "unit": "request", "labels": {"origin": "person"}},
                        {"name": "processed", "value": 7, "unit": "request"},
                        {"name": "active_decisions", "value": 9, "unit": "ip"},
                    ],
                }
            ],
        }
    ],
    "log_processors": None,
}


def stream(bouncer: httpx.Client, **params: Any) -> dict[str, list[dict[str, Any]]]:
    """Pull."""
    answer = bouncer.get("/v1/decisions/stream", params={"scopes": "client_id", **params})
    assert answer.status_code == 200, answer.text
    said: dict[str, list[dict[str, Any]]] = answer.json()
    return said


def told(said: Mapping[str, list[dict[str, Any]]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the (value, type) pairs of `new` and of `deleted`."""
    new, deleted = ([(one["value"], one["type"]) for one in said[name]] for name in ("new", "deleted"))
    return new, deleted


def expire(api: Api, value: str) -> None:
    """Let the time of what is in force on a value be over, as if it had been taken earlier."""
    with api.engine.begin() as connection:
        for table in ("decisions", "decision_heads"):
            connection.execute(text(f"UPDATE {table} SET until = now() WHERE value = :value"), {"value": value})  # noqa: S608  # two names above


def test_each_decision_has_what_clients_need(api: Api) -> None:
    """All seven members, an integer id, a duration as Go reads it, and both lists even when they are empty."""
    bouncer = api.bouncer()
    assert bouncer.get("/v1/decisions/stream").text == '{"new":[],"deleted":[]}'
    made = api.decide("thief", seconds=3600)
    answer = bouncer.get("/v1/decisions/stream", params={"scopes": "client_id"})
    assert answer.headers["content-type"] == "application/json"
    assert "content-encoding" not in answer.headers
    [one] = answer.json()["new"]
    assert one == {
        "id": made.id,
        "origin": "person",
        "type": "ban",
        "scope": "client_id",
        "value": "thief",
        "duration": one["duration"],
        "scenario": "gamekeeper/person",
    }
    assert one["duration"] in {"1h0m0s", "59m59s", "59m58s"}
    api.lift("thief")
    [over] = stream(bouncer)["deleted"]
    assert over.keys() == one.keys()
    assert over["duration"] == "0s"


def test_without_scopes_addresses_alone_are_told(api: Api) -> None:
    """A client's name once made a firewall's bouncer fail its whole commit."""
    bouncer = api.bouncer()
    api.decide("thief")
    api.decide("acme", scope=Scope.TENANT)
    api.decide("192.0.2.7", scope=Scope.IP)
    for scopes, values in {
        None: {"192.0.2.7"},
        "": {"192.0.2.7"},
        "ip,range": {"192.0.2.7"},
        "IP": {"192.0.2.7"},
        "Client_Id": set(),
        "client_id,tenant,country": {"thief", "acme"},
    }.items():
        params = {"startup": "true"} | ({} if scopes is None else {"scopes": scopes})
        said = bouncer.get("/v1/decisions/stream", params=params).json()
        assert {one["value"] for one in said["new"]} == values, scopes
    assert {one["scope"] for one in bouncer.get("/v1/decisions").json()} == {"Ip", "client_id", "tenant"}


def test_a_value_that_clients_would_misread_is_not_told(api: Api) -> None:
    """A client called like an address would block that address; control characters break shells and nftables."""
    for value in ("10.0.0.1", "10.0.0.0/8", "line\nbreak", "bell\a"):
        api.decide(value)
    api.decide("no address", scope=Scope.IP)
    api.decide("plain")
    assert told(stream(api.bouncer(), scopes="client_id,ip", startup="true")) == ([("plain", "ban")], [])


def test_a_milder_decision_and_an_end(api: Api) -> None:
    """Stricter: the new one alone. Milder: the stricter is deleted too. Nothing left: deleted."""
    bouncer = api.bouncer()
    stream(bouncer, startup="true")
    api.decide("thief", Action.THROTTLE)
    assert told(stream(bouncer)) == ([("thief", "throttle")], [])
    api.decide("thief", Action.BLOCK)
    assert told(stream(bouncer)) == ([("thief", "ban")], [])
    api.decide("thief", Action.PERTURB)
    new, deleted = told(stream(bouncer))
    assert new == [("thief", "perturb")]
    assert set(deleted) == {("thief", "ban"), ("thief", "throttle")}
    api.lift("thief")
    new, deleted = told(stream(bouncer))
    assert (new, set(deleted)) == ([], {("thief", "ban"), ("thief", "throttle"), ("thief", "perturb")})
    for action in (Action.BLOCK, Action.THROTTLE):
        api.decide("192.0.2.7", action, scope=Scope.IP)
    assert told(stream(bouncer, scopes="ip")) == ([("192.0.2.7", "throttle")], [("192.0.2.7", "ban")])


def test_nothing_is_deleted_while_another_model_is_guarded(api: Api) -> None:
    """Bouncers know no models: the strictest holds, and its end leaves the other one, which is told."""
    bouncer = api.bouncer()
    api.decide("thief", Action.BLOCK, model="digits")
    api.decide("thief", Action.THROTTLE, model="letters")
    assert told(stream(bouncer, startup="true")) == ([("thief", "ban")], [])
    people.lift(api.engine, Scope.CLIENT, "thief", "digits", SAID, CHANNELS)
    new, deleted = told(stream(bouncer))
    assert (new, deleted) == ([("thief", "throttle")], [("thief", "ban")])


def test_the_end_by_the_clock_is_told(api: Api) -> None:
    """Who keeps values without their time hears that it is over, at the next start too."""
    bouncer = api.bouncer()
    api.decide("thief")
    stream(bouncer, startup="true")
    expire(api, "thief")
    assert told(stream(bouncer)) == ([], [("thief", "ban")])
    assert told(stream(bouncer, startup="true")) == ([], [("thief", "ban")])
    assert bouncer.get("/v1/decisions").text == "null"


def test_shadow_never_leaves(api: Api) -> None:
    """What the detector decides in shadow is told on no way, and ends nothing that is enforced."""
    bouncer = api.bouncer()
    saved(api.engine, verdict(Standing.CONFIRMED, shadow=True))
    assert told(stream(bouncer, startup="true")) == ([], [])
    assert bouncer.get("/v1/decisions").text == "null"
    saved(api.engine, verdict(Standing.CONFIRMED, 2, client="other"))
    assert told(stream(bouncer)) == ([("other", "ban")], [])
    saved(api.engine, verdict(Standing.CONFIRMED, 3, client="other", shadow=True, seconds=7200))
    assert told(stream(bouncer)) == ([("other", "ban")], [])  # each change is told twice
    assert [one["value"] for one in bouncer.get("/v1/decisions").json()] == ["other"]


def test_the_allowlist_wins(api: Api) -> None:
    """An entry ends what is told at once, with whatever model and also for a tenant; its removal brings it back."""
    bouncer = api.bouncer()
    saved(api.engine, verdict(Standing.CONFIRMED), snapshots=[snapshot("thief", tenant="acme")])
    assert told(stream(bouncer, startup="true")) == ([("thief", "ban")], [])
    tenant = people.Entry(Scope.TENANT, "acme", "*")
    people.allowlist_add(api.engine, tenant, SAID, CHANNELS)
    assert told(stream(bouncer)) == ([], [("thief", "ban")])
    assert bouncer.get("/v1/decisions", params={"scope": "client_id", "value": "thief"}).text == "null"
    people.allowlist_remove(api.engine, Scope.TENANT, "acme", "*", SAID, CHANNELS)
    assert told(stream(bouncer))[0] == [("thief", "ban")]
    people.allowlist_add(api.engine, people.Entry(Scope.CLIENT, "thief", "letters"), SAID, CHANNELS)
    assert told(stream(bouncer)) == ([], [("thief", "ban")])


def test_an_allowance_that_ends_by_the_clock(api: Api) -> None:
    """When a tenant's entry ends by itself, what it held back is told."""
    bouncer = api.bouncer()
    saved(api.engine, verdict(Standing.CONFIRMED), snapshots=[snapshot("thief", tenant="acme")])
    people.allowlist_add(api.engine, people.Entry(Scope.TENANT, "acme", "*"), SAID, CHANNELS)
    assert told(stream(bouncer, startup="true"))[0] == []
    expire(api, "acme")
    with api.engine.begin() as connection:  # it has long heard of the entry itself
        connection.execute(text("UPDATE bouncers SET seen = pg_current_snapshot()::text"))
    assert told(stream(bouncer))[0] == [("thief", "ban")]


def test_filters_come_before_the_strictest(api: Api) -> None:
    """A person's decision is told to who asks for people's, though the detector's is stricter."""
    bouncer = api.bouncer()
    saved(api.engine, verdict(Standing.CONFIRMED))
    api.decide("thief", Action.THROTTLE)
    for params, types in (
        ({}, ["ban"]),
        ({"origins": "person"}, ["throttle"]),
        ({"origins": "person,detector"}, ["ban"]),
        ({"origins": "CAPI"}, []),
        ({"scenarios_containing": "extraction"}, ["ban"]),
        ({"scenarios_not_containing": "extraction"}, ["throttle"]),
    ):
        assert [kind for _, kind in told(stream(bouncer, startup="true", **params))[0]] == types, params
        found = bouncer.get("/v1/decisions", params=params).json() or []
        assert [one["type"] for one in found] == types, params


def test_a_query_for_one_value(api: Api) -> None:
    """By address, network, scope, value and type; unknown parameters change nothing."""
    bouncer = api.bouncer()
    api.decide("192.0.2.7", scope=Scope.IP)
    api.decide("thief", Action.THROTTLE)
    for query, values in {
        "ip=192.0.2.7": ["192.0.2.7"],
        "ip=192.0.2.8": None,
        "range=192.0.2.0/24": None,
        "range=192.0.2.0/24&contains=false": ["192.0.2.7"],
        "range=192.0.2.7/32": ["192.0.2.7"],
        "range=192.0.2.1/24&contains=false": ["192.0.2.7"],
        "ip=192.0.2.7&scopes=ip,client_id": ["192.0.2.7"],
        "ip=192.0.2.7&scopes=client_id": None,
        "scope=client_id&value=thief": ["thief"],
        "value=thief": ["thief"],
        "type=throttle": ["thief"],
        "type=captcha": None,
        "ip=192.0.2.7&community_pull=false&additional_pull=false": ["192.0.2.7"],
    }.items():
        answer = bouncer.get(f"/v1/decisions?{query}")
        assert answer.status_code == 200
        found = answer.json()
        assert (found if found is None else [one["value"] for one in found]) == values, query
        assert (answer.text == "null") == (values is None)


@pytest.mark.parametrize(
    "query",
    [
        "decisions?ip=garbage",
        "decisions?range=1.2.3.4/99",
        "decisions?contains=maybe",
        "decisions/stream?startup=perhaps",
    ],
)
def test_malformed_queries(api: Api, query: str) -> None:
    """400, with what is wrong."""
    answer = api.bouncer().get(f"/v1/{query}")
    assert answer.status_code == 400
    [name] = answer.json()
    assert name == "message"
    assert query.split("?")[1].split("=", maxsplit=1)[0] in answer.json()["message"]


def test_who_has_no_key_gets_nothing(api: Api) -> None:
    """No key, a wrong one, a client's, and a revoked one: 403 with CrowdSec's words; /health is open."""
    client = keys.add_client_key(api.engine, keys.Holder("acme"), SAID).secret
    for path in ("decisions/stream", "decisions"):
        for headers in ({}, {"X-Api-Key": "wrong"}, {"X-Api-Key": client}):
            answer = httpx.get(f"{api.url}/v1/{path}", headers=headers)
            assert (answer.status_code, answer.text) == (403, '{"message":"access forbidden"}')
            assert httpx.head(f"{api.url}/v1/{path}", headers=headers).status_code == 403
    assert httpx.post(f"{api.url}/v1/usage-metrics", json=USAGE).status_code == 403
    bouncer = api.bouncer()
    [prefix] = [line.prefix for line in keys.list_keys(api.engine) if line.kind == "bouncer"]
    keys.revoke_key(api.engine, prefix, SAID)
    assert bouncer.get("/v1/decisions").status_code == 403
    health = httpx.get(f"{api.url}/health")
    assert (health.status_code, health.json()) == (200, {"status": "up"})


def test_head_moves_no_cursor(api: Api) -> None:
    """200 without a body, and what was new is new afterwards."""
    bouncer = api.bouncer()
    stream(bouncer, startup="true")
    api.decide("thief")
    before = rows(api.engine, "SELECT * FROM bouncers")
    for path in ("/v1/decisions/stream", "/v1/decisions"):
        answer = bouncer.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert rows(api.engine, "SELECT * FROM bouncers") == before
    assert told(stream(bouncer))[0] == [("thief", "ban")]


def test_usage_metrics(api: Api) -> None:
    """Counted, packed or not, 201 without a body; what is no such metrics is 400, too much is 413."""
    bouncer = api.bouncer("npm")
    packed = gzip.compress(json.dumps(USAGE).encode())
    answers = [
        bouncer.post("/v1/usage-metrics", json=USAGE),
        bouncer.post("/v1/usage-metrics", content=packed, headers={"Content-Encoding": "gzip"}),
    ]
    assert [(answer.status_code, answer.content) for answer in answers] == [(201, b"")] * 2
    counted = httpx.get(f"{api.url}/metrics").text
    assert 'gamekeeper_bouncer_requests_total{bouncer="npm",what="dropped"} 6.0' in counted
    assert 'gamekeeper_bouncer_requests_total{bouncer="npm",what="processed"} 14.0' in counted
    assert "active_decisions" not in counted
    for body, headers, status in (
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b" " * (1 << 23)), {"Content-Encoding": "gzip"}, 413),
    ):
        answer = bouncer.post("/v1/usage-metrics", content=body, headers=headers)
        assert (answer.status_code, list(answer.json())) == (status, ["message"])
    for large in (b" " * (1 << 21), iter([b" " * (1 << 20)] * 2)):  # of a length that is said, and of none
        assert bouncer.post("/v1/usage-metrics", content=large).status_code == 413


def test_a_decision_without_end(api: Api) -> None:
    """Its duration is one that Go can hold."""
    api.decide("thief", seconds=None)
    [one] = stream(api.bouncer())["new"]
    assert one["duration"] == "87600h0m0s"


def test_replicas_with_one_key_are_told_each(api: Api) -> None:
    """A cursor belongs to a key and an address."""
    bouncer = api.bouncer()
    other = api.client(bouncer.headers["X-Api-Key"], transport=httpx.HTTPTransport(local_address="127.0.0.2"))
    for one in (bouncer, other):
        stream(one, startup="true")
    api.decide("thief")
    assert told(stream(bouncer))[0] == told(stream(other))[0] == [("thief", "ban")]
    assert rows(api.engine, "SELECT address FROM bouncers ORDER BY 1") == [("127.0.0.1",), ("127.0.0.2",)]
