"""What people do: by forms, as the REST API and the command line do it, and in the audit log under their names."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, text

from consumers.store.schema import proposals, trips
from detector.standing import Standing
from tests.api.conftest import Api
from tests.console.conftest import Person, token, words
from tests.store.given import one, rows, saved, snapshot, verdict

Somebody = Callable[[str], Person]
ACTS = "SELECT who, what, target, why FROM audit_log WHERE what NOT LIKE 'key-%' ORDER BY id"
BLOCK = {"action": "block", "seconds": "3600", "why": "sells copies"}


def test_block_label_lift(api: Api, person: Somebody, thief: str) -> None:
    """Each leads to the client's page, which says what was done and what holds now."""
    ann = person("respond")
    done = ann.act("block", {"value": "other"}, **BLOCK)
    assert done.url.path == "/console/client"
    assert "Decided. Gateways hear of it" in done.text
    assert "block every" in words(done.text)
    done = ann.act("label", {"value": thief}, what="true-positive", why="confessed")
    assert "Noted." in done.text
    assert "block digits" in words(done.text)
    done = ann.act("lift", {"value": thief, "model": "digits"}, why="has paid")
    assert "Lifted." in done.text
    assert "Nothing: this client is answered like everybody" in done.text
    assert rows(api.engine, ACTS) == [
        ("respond-ann", "block", "client_id other *", "sells copies"),
        ("respond-ann", "label", "client_id thief *", "confessed"),
        ("respond-ann", "lift", "client_id thief digits", "has paid"),
    ]
    acts = words(ann.look("audit"))
    assert "respond-ann label: true-positive client_id thief * confessed" in acts
    assert one(api.engine, "SELECT what FROM feedback WHERE what <> 'lift'") == "true-positive"


def test_an_ordinary_client_is_lifted_too(api: Api, person: Somebody, thief: str) -> None:
    """As with `gamekeeper label`."""
    done = person("respond").act("label", {"value": thief}, what="false-positive", why="our own test")
    assert "Nothing: this client is answered like everybody" in done.text
    assert [what for _, what, _, _ in rows(api.engine, ACTS)] == ["label", "lift"]


@pytest.mark.parametrize("scope", ["tenant", "ip"])
def test_tenants_and_addresses(api: Api, person: Somebody, scope: str) -> None:
    """They are acted against, and lifted where decisions are shown."""
    value = {"tenant": "acme", "ip": "192.0.2.7"}[scope]
    ann, about = person("respond"), {"scope": scope, "value": value}
    assert value in ann.act("block", about, **BLOCK).text
    assert f"scope={scope}&amp;value={value}" in ann.look("decisions")
    assert ann.act("lift", {**about, "model": "*"}, why="over").url.path == "/console/decisions"
    assert one(api.engine, "SELECT count(*) FROM decision_heads WHERE until > now()") == 0


def test_what_is_refused_is_told_beside_the_form(api: Api, person: Somebody, thief: str) -> None:
    """In words, with what was typed still there."""
    admin = api.client(person("admin").secret)
    added = admin.post("/api/v1/allowlist", json={"value": "friend", "why": "a partner"})
    assert added.status_code == 201
    ann = person("respond")
    refused = ann.act("block", {"value": "friend"}, **BLOCK)
    assert refused.status_code == 409
    assert "on the allowlist" in words(refused.text)
    assert 'value="sells copies"' in refused.text
    for act, about, typed, status, said in (
        ("lift", {"value": thief}, {"why": " "}, 400, "Say why"),
        ("lift", {"value": thief}, {"why": "x" * 2_001}, 400, "at most 2,000"),
        ("lift", {"value": "nobody"}, {"why": "a test"}, 404, "no decision on it"),
        ("label", {"value": thief}, {"why": "a test", "what": "nice"}, 400, "Choose"),
        ("label", {"value": "nobody"}, {"why": "a test", "what": "true-positive"}, 404, "never seen"),
        ("block", {"value": thief}, {**BLOCK, "seconds": "1"}, 400, "Choose"),
    ):
        answer = ann.act(act, about, **typed)
        assert (answer.status_code, said in words(answer.text)) == (status, True), answer.text
    for address in ("/console/block?scope=ip&value=thief", "/console/block", "/console/approve?verdict=x"):
        assert ann.http.get(address).status_code == 400
    assert rows(api.engine, ACTS) == [("admin-ann", "allowlist-add", "client_id friend *", "a partner")]


def test_roles(api: Api, person: Somebody, thief: str) -> None:
    """Whose key may not do it is refused, whatever they send."""
    reader, responder = person("read"), person("respond")
    for who, address in ((reader, f"lift?value={thief}"), (responder, "close?model=digits")):
        answer = who.send(f"/console/{address}", token=token(who.look("overview")), why="a test")
        assert answer.status_code == 403
        assert "This takes the role" in answer.text
    assert rows(api.engine, ACTS) == []
    assert responder.send("/console/nothing", token=token(responder.look("overview"))).status_code == 404


def proposed(api: Api) -> UUID:
    """Let a block of "waiting" wait for a person; return what it is called."""
    saved(api.engine, verdict(Standing.SUSPECTED, client="waiting"), snapshots=[snapshot("waiting")])
    name = uuid4()
    with api.engine.begin() as connection:
        row = {"verdict": name, "client": "waiting", "model": "digits", "episode": uuid4(), "cause": "approval"}
        serial = text("SELECT serial FROM decision_heads WHERE value = 'waiting' AND model = 'digits'")
        row |= {"reason": "two kinds", "serial": connection.execute(serial).scalar_one()}
        connection.execute(insert(proposals).values(**row, until=text("now() + interval '1 hour'")))
    return name


def test_proposals(api: Api, person: Somebody) -> None:
    """They wait on the overview and the client's page; once is enough."""
    name, ann = proposed(api), person("respond")
    about = {"verdict": str(name), "value": "waiting"}
    assert "waiting digits" in words(ann.look("overview")).partition("Blocks that the detector proposes")[2]
    assert "A block at digits waits for a person" in words(ann.look("client", client="waiting"))
    done = ann.act("approve", about, why="seen it")
    assert "Blocked as proposed" in done.text
    assert "block digits" in words(done.text)
    assert ann.act("decline", about, why="no").status_code == 409
    assert [what for _, what, _, _ in rows(api.engine, ACTS)] == ["approve"]


@pytest.mark.usefixtures("thief")
def test_a_breaker(api: Api, person: Somebody) -> None:
    """It shows on the overview, and an admin closes it."""
    with api.engine.begin() as connection:
        row = {"id": uuid4(), "model": "digits", "blocked": 9, "clients": 10, "reason": "too many", "policy": "c1"}
        connection.execute(insert(trips).values(**row, told=[]))
    admin = person("admin")
    assert "breaker open since" in admin.look("overview")
    assert "/console/close?model=digits" in admin.look("overview")
    assert "Closed." in admin.act("close", {"model": "digits"}, why="a real attack").text
    assert admin.http.get("/console/close?model=digits").status_code == 404
    assert one(api.engine, "SELECT who FROM trips") == "admin-ann"
