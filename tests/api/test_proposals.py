"""What waits for a person, over HTTP: the REST API, and the link in an alert."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest

from consumers import links
from consumers.api import ApiSettings
from consumers.links import Link
from consumers.store import keys, proposals
from detector.policy import Approval, Policy
from detector.standing import Standing
from tests.api.conftest import PEPPER, SAID, Api, serving
from tests.consumers.road import free_port
from tests.store.given import one, rows, saved, verdict

SECRET = "0123456789abcdef" * 4  # of these tests
ASKING = Policy(approval=Approval(blocks=True))
BLOCKED = "SELECT who FROM decisions WHERE action = 'block' AND origin = 'person'"


@pytest.fixture
def linking(api: Api) -> Iterator[Api]:
    """Return an api that knows links."""
    with serving(ApiSettings(api.database, port=free_port(), key_pepper=PEPPER, link_secret=SECRET)) as url:
        yield replace(api, url=url)


def asker(api: Api, role: str) -> httpx.Client:
    """Return somebody with a key of a role."""
    return api.client(keys.add_api_key(api.engine, keys.Holder(f"{role}-ann", roles=(role,)), SAID, PEPPER).secret)


def proposed(api: Api, client: str = "thief") -> UUID:
    """Let the detector propose a block."""
    saved(api.engine, verdict(Standing.CONFIRMED, client=client), policy=ASKING)
    return next(waiting.verdict for waiting in proposals.waiting(api.engine) if waiting.client == client)


def test_proposals(api: Api) -> None:
    """They are listed, approved and declined by whoever may respond, once each, under that name."""
    first, second = proposed(api), proposed(api, "other")
    reader, responder = asker(api, "read"), asker(api, "respond")
    assert [one["client"] for one in reader.get("/api/v1/proposals").json()] == ["thief", "other"]
    path = f"/api/v1/proposals/{first}"
    assert reader.post(f"{path}/approve", json={"why": "it is one"}).status_code == 403
    assert responder.post(f"{path}/approve", json={}).status_code == 400
    made = responder.post(f"{path}/approve", json={"why": "it is one"})
    assert (made.status_code, made.json()["action"], made.json()["who"]) == (201, "block", "respond-ann")
    again = responder.post(f"{path}/approve", json={"why": "it is one"})
    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")
    declined = responder.post(f"/api/v1/proposals/{second}/decline", json={"why": "a partner"})
    assert (declined.status_code, declined.json()["outcome"]) == (200, "declined")
    assert reader.get("/api/v1/proposals").json() == []
    assert reader.get(path).json()["outcome"] == "approved"
    assert responder.post(f"/api/v1/proposals/{UUID(int=0)}/approve", json={"why": "x"}).status_code == 404


def test_breakers(api: Api) -> None:
    """They are shown to readers and closed by administrators."""
    saved(api.engine, *(verdict(Standing.CONFIRMED, client=f"thief-{number}") for number in range(5)))
    [trip] = asker(api, "read").get("/api/v1/breakers").json()
    assert (trip["model"], trip["blocked"], trip["closed"]) == ("digits", 5, None)
    assert asker(api, "respond").post("/api/v1/breakers/digits/close", json={"why": "x"}).status_code == 403
    closed = asker(api, "admin").post("/api/v1/breakers/digits/close", json={"why": "looked at it"})
    assert (closed.status_code, closed.json()["who"]) == (200, "admin-ann")
    assert asker(api, "admin").post("/api/v1/breakers/digits/close", json={"why": "x"}).status_code == 404


def test_a_link_asks_first(linking: Api) -> None:
    """Looking, however often, blocks nobody; sending the form does, once, under the name that was given."""
    token = links.sign(SECRET, Link(proposed(linking), "slack:ops"))
    with httpx.Client(base_url=linking.url) as browser:
        for _ in range(3):
            page = browser.get(f"/proposals/{token}")
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        assert "<button>Block it</button>" in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert rows(linking.engine, BLOCKED) == []
        assert browser.post(f"/proposals/{token}", data={"who": "Ann", "why": ""}).status_code == 400
        done = browser.post(f"/proposals/{token}", data={"who": "Ann", "why": "it is one"})
        assert (done.status_code, "is blocked" in done.text) == (200, True)
        assert browser.post(f"/proposals/{token}", data={"who": "Bob", "why": "me too"}).status_code == 409
        assert browser.get(f"/proposals/{token}").status_code == 409
    assert rows(linking.engine, BLOCKED) == [("Ann (by link, slack:ops)",)]
    assert one(linking.engine, "SELECT who FROM audit_log WHERE what = 'approve'") == "Ann (by link, slack:ops)"


def forged(proposal: UUID, secret: str = SECRET, **other: Any) -> str:
    """Return a token that is not as ours are."""
    claims = {"aud": "approve", "sub": str(proposal), "channel": "slack:ops", "exp": 4_000_000_000} | other
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, "HS256")


@pytest.mark.parametrize(
    "other",
    [
        {"secret": "another secret of 32 characters!"},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"aud": "predict"},
        {"sub": "everybody"},
        {"sub": str(UUID(int=0))},
    ],
)
def test_other_links_do_nothing(linking: Api, other: dict[str, Any]) -> None:
    """One of another secret, too old, without an end, for another purpose or for nothing is not found."""
    token = forged(proposed(linking), **other)
    with httpx.Client(base_url=linking.url) as browser:
        assert browser.get(f"/proposals/{token}").status_code == 404
        assert browser.post(f"/proposals/{token}", data={"who": "Eve", "why": "x"}).status_code == 404
    assert rows(linking.engine, BLOCKED) == []


def test_without_a_secret_there_are_no_links(api: Api) -> None:
    """An api that has none takes no link at all, not even one signed with nothing."""
    token = forged(proposed(api))
    with httpx.Client(base_url=api.url) as browser:
        assert browser.get(f"/proposals/{token}").status_code == 404


def test_names_cannot_break_out_of_the_page(linking: Api) -> None:
    """A client called like markup is text."""
    token = links.sign(SECRET, Link(proposed(linking, "<script>alert(1)</script>"), "slack:ops"))
    page = httpx.get(f"{linking.url}/proposals/{token}").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
