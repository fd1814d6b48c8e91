"""The REST API: what people and their tools look up and do. Roles, pages, problems, and an audit of every change."""

from typing import Any

import httpx
import pytest

from consumers.api import ApiSettings
from consumers.store import keys
from detector.decision import Action, Scope
from detector.standing import Standing
from tests.api.conftest import PEPPER, SAID, Api, serving
from tests.consumers.road import free_port
from tests.store.given import NOON, rows, saved, snapshot, verdict


def asker(api: Api, role: str) -> httpx.Client:
    """Return somebody with a key of a role, called like it."""
    holder = keys.Holder(f"{role}-ann", roles=(role,))
    client = api.client(keys.add_api_key(api.engine, holder, SAID, PEPPER).secret)
    client.base_url = f"{api.url}/api/v1/"
    return client


def judged(api: Api) -> None:
    """Let the detector judge two clients."""
    saved(api.engine, verdict(Standing.SUSPECTED), verdict(Standing.CONFIRMED, 2), snapshots=[snapshot("thief")])
    saved(api.engine, verdict(Standing.WATCHED, 1, client="other"), snapshots=[snapshot("other")])


READS = (
    "decisions",
    "decisions/active",
    "verdicts",
    "clients",
    "clients/thief",
    "episodes",
    "feedback",
    "allowlist",
    "audit",
)
CHANGES: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("POST", "decisions", {"value": "bad", "action": "block", "seconds": 60, "why": "caught"}, "respond"),
    ("POST", "lifts", {"value": "thief", "why": "a mistake"}, "respond"),
    ("POST", "feedback", {"client": "thief", "what": "false-positive", "why": "a test of ours"}, "respond"),
    ("POST", "allowlist", {"value": "friend", "why": "a partner"}, "admin"),
    ("DELETE", "allowlist", {"value": "friend", "why": "no longer"}, "admin"),
)


def change(client: httpx.Client, what: tuple[str, str, dict[str, Any], str]) -> httpx.Response:
    """Ask for a change."""
    method, path, body, _ = what
    if method == "DELETE":
        return client.delete(path, params=body)
    return client.post(path, json=body)


def test_roles(api: Api) -> None:
    """Who may read reads; changes take respond or admin; every change is in the audit log under who did it."""
    judged(api)
    askers = {role: asker(api, role) for role in keys.API_ROLES}
    for client in askers.values():
        assert {path: client.get(path).status_code for path in READS} == dict.fromkeys(READS, 200)
    for what in CHANGES:
        enough = keys.API_ROLES.index(what[3])
        for rank, role in enumerate(keys.API_ROLES):
            answer = change(askers[role], what)
            if rank < enough:
                assert answer.status_code == 403
                assert answer.json()["detail"] == f"this takes the role {what[3]}"
            elif rank == enough:
                assert answer.status_code in {200, 201}, answer.text
    acts = rows(api.engine, "SELECT who, what, why FROM audit_log WHERE what NOT LIKE 'key-%' ORDER BY id")
    assert set(acts) >= {
        ("respond-ann", "block", "caught"),
        ("respond-ann", "lift", "a mistake"),
        ("respond-ann", "label", "a test of ours"),
        ("admin-ann", "allowlist-add", "a partner"),
        ("admin-ann", "allowlist-remove", "no longer"),
    }
    found = askers["read"].get("audit", params={"who": "admin-ann"}).json()["items"]
    assert [one["what"] for one in found][:2] == ["allowlist-remove", "allowlist-add"]
    assert {one["who"] for one in found} == {"admin-ann"}


def test_who_is_not_known(api: Api) -> None:
    """No key, a wrong one and a bouncer's: 401 as a problem; an expired one too."""
    bouncer = api.bouncer().headers["X-Api-Key"]
    expired = keys.add_api_key(api.engine, keys.Holder("eve", roles=("admin",), expires=1), SAID, PEPPER).secret
    for secret in (None, "wrong", bouncer, expired):
        answer = httpx.get(f"{api.url}/api/v1/clients", headers={} if secret is None else {"X-Api-Key": secret})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() | {"detail": ""} == {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "",
        }
    client = asker(api, "admin")
    assert api.client(client.headers["X-Api-Key"]).get("/v1/decisions").status_code == 403  # the other way round


def test_what_the_detector_found(api: Api) -> None:
    """Verdicts with their evidence, clients, episodes, and one client's case."""
    judged(api)
    client = asker(api, "read")
    first, *_ = client.get("verdicts", params={"client": "thief", "standing": "confirmed"}).json()["items"]
    one = client.get(f"verdicts/{first['id']}").json()
    assert (one["standing"], one["previous"], one["at"]) == ("confirmed", "clear", "2026-11-24T12:00:00.000002Z")
    [reading] = one["evidence"]
    assert reading["because"] == "31 label flips in 64 near pairs"
    assert reading["examples"][0]["queries"][0]["query"] == 17
    assert {one["client"]: one["standing"] for one in client.get("clients").json()["items"]} == {
        "thief": "confirmed",
        "other": "watched",
    }
    [episode] = client.get("episodes", params={"client": "thief"}).json()["items"]
    assert client.get(f"episodes/{episode['id']}").json() == episode
    assert episode["highest"] == "confirmed"
    case = client.get("clients/thief").json()
    assert [len(case[name]) for name in ("standings", "verdicts", "decisions")] == [1, 2, 2]
    assert case["verdicts"][0]["evidence"]


def test_a_decision_and_its_end(api: Api) -> None:
    """A decision is taken, seen, replaced and lifted; an allowlisted client's is refused."""
    client = asker(api, "admin")
    order = {"value": "thief", "model": "digits", "action": "block", "seconds": 60, "why": "caught"}
    made = client.post("decisions", json=order)
    assert made.status_code == 201
    assert client.get(f"decisions/{made.json()['id']}").json() == made.json()
    assert made.json()["who"] == "admin-ann"
    assert [one["value"] for one in client.get("decisions/active").json()["items"]] == ["thief"]
    [ended] = client.post("lifts", json={"value": "thief", "why": "enough"}).json()
    assert (ended["action"], ended["serial"]) == ("allow", 2)
    assert client.get("decisions/active").json() == {"items": [], "next": None}
    assert client.post("allowlist", json={"value": "thief", "why": "ours"}).status_code == 201
    refused = client.post("decisions", json=order)
    assert refused.status_code == 409
    assert "allowlist" in refused.json()["detail"]
    address = client.post("decisions", json=order | {"scope": "ip", "value": "2001:DB8:0::1"}).json()
    assert address["value"] == "2001:db8::1"


def test_pages(api: Api) -> None:
    """Each list goes on where it stopped, without a double or a hole, also when something is added meanwhile."""
    client = asker(api, "admin")
    for number in range(7):
        api.decide(f"c{number}", Action.THROTTLE)
        client.post("allowlist", json={"scope": "tenant", "value": f"t{number}", "why": "x"})
        new = verdict(Standing.WATCHED, 1, client=f"c{number}", time=NOON + number % 3)
        saved(api.engine, new, snapshots=[snapshot(f"c{number}")])
    for path, names in {
        "decisions": ("id",),
        "decisions/active": ("id",),
        "verdicts": ("id",),
        "clients": ("client",),
        "episodes": ("id",),
        "allowlist": ("scope", "value"),
        "audit": ("id",),
    }.items():
        whole = client.get(path, params={"limit": 500}).json()
        assert whole["next"] is None
        found: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = client.get(path, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
            assert len(page["items"]) <= 3
            found += page["items"]
            cursor = page["next"]
            api.decide("late", Action.PERTURB)
        wanted = [tuple(one[name] for name in names) for one in whole["items"]]
        got = [tuple(one[name] for name in names) for one in found]
        assert got[: len(wanted)] == wanted, path


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("clients?limit=0", "limit"),
        ("clients?limit=many", "limit"),
        ("clients?cursor=nonsense", "cursor"),
        ("clients?cursor=5b315d", "cursor"),
        ("verdicts?standing=guilty", "standing"),
        ("verdicts/not-a-uuid", "name"),
        ("decisions/0", "number"),
        ("decisions/99999999999999999999", "number"),
        ("decisions?value=%00", "value"),
        ("feedback?client=", "client"),
    ],
)
def test_malformed_questions(api: Api, path: str, part: str) -> None:
    """400 as a problem that names what is wrong."""
    answer = asker(api, "read").get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert part in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("decisions", {}),
        ("decisions", []),
        ("decisions", {"value": "", "action": "block", "why": "x"}),
        ("decisions", {"value": "a", "action": "punish", "why": "x"}),
        ("decisions", {"value": "a", "action": "block"}),
        ("decisions", {"value": "a", "action": "block", "why": "x", "seconds": 0}),
        ("decisions", {"value": "a", "action": "block", "why": "x", "seconds": 10**12}),
        ("decisions", {"value": "a\0", "action": "block", "why": "x"}),
        ("decisions", {"scope": "ip", "value": "garbage", "action": "block", "why": "x"}),
        ("feedback", {"client": "a", "what": "nice", "why": "x"}),
        ("allowlist", {"value": "a", "why": "x", "until": "2026-11-24T12:00:00"}),
    ],
)
def test_malformed_changes(api: Api, path: str, body: Any) -> None:
    """400 as a problem, and nothing is done."""
    client = asker(api, "admin")
    before = rows(api.engine, "SELECT count(*) FROM audit_log")
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), answer.text
    assert rows(api.engine, "SELECT count(*) FROM audit_log") == before


def test_what_is_not_there(api: Api) -> None:
    """404 as a problem, for one of a list, for a client nobody saw, for an entry that nobody made."""
    client = asker(api, "admin")
    nobody = "00000000-0000-0000-0000-000000000000"
    answers = [
        *(
            client.get(path)
            for path in ("decisions/1", f"verdicts/{nobody}", f"episodes/{nobody}", "clients/a/b", "no")
        ),
        client.post("lifts", json={"value": "nobody", "why": "x"}),
        client.post("feedback", json={"client": "nobody", "what": "false-positive", "why": "x"}),
        client.delete("allowlist", params={"value": "nobody", "why": "x"}),
    ]
    assert {(answer.status_code, answer.headers["content-type"]) for answer in answers} == {
        (404, "application/problem+json")
    }


def test_the_description(api: Api) -> None:
    """OpenAPI describes every path of ours, and how to say who asks."""
    said = httpx.get(f"{api.url}/api/v1/openapi.json").json()
    assert {f"/api/v1/{path}" for path in READS if path != "clients/thief"} <= set(said["paths"])
    assert "/api/v1/decisions/events" in said["paths"]
    assert [scheme["name"] for scheme in said["components"]["securitySchemes"].values()] == ["X-Api-Key"]


def test_without_the_database() -> None:
    """503 in the words of whoever asks; /health still answers, /healthz says what is wrong."""
    away = f"postgresql+psycopg2://postgres@127.0.0.1:{free_port()}/nothing"
    with serving(ApiSettings(away, port=free_port())) as url:
        for path, member in (
            ("api/v1/clients", "detail"),
            ("v1/decisions", "message"),
            ("v1/decisions/stream", "message"),
        ):
            answer = httpx.get(f"{url}/{path}", headers={"X-Api-Key": "any"})
            assert answer.status_code == 503
            assert answer.json()[member] == "the database does not answer"
        assert httpx.get(f"{url}/health").status_code == 200
        assert "postgres" in httpx.get(f"{url}/healthz").json()["why"]


def test_scopes(api: Api) -> None:
    """Decisions are listed by what they are about."""
    client = asker(api, "read")
    api.decide("acme", scope=Scope.TENANT)
    api.decide("acme")
    [one] = client.get("decisions", params={"scope": "tenant", "value": "acme", "unknown": "ignored"}).json()["items"]
    assert one["scope"] == "tenant"
