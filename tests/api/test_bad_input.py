"""What nobody should send: it is refused with a reason, and never our failure."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import event

from consumers.store import keys
from tests.api.conftest import PEPPER, SAID, Api
from tests.api.test_rest import asker

ODD = [
    "%00", "%ed%a0%80", "9" * 30, "-1", "a" * 5_000, "", "%ff", "%0d%0aX-Evil:%201", "1e999", "*", "%25s%25n",
    quote("'; DROP TABLE decisions;--"), "::1%25eth0", "::ffff:192.0.2.7", "::/0", "1.2.3.4/99", ",,,",
]  # fmt: skip
FEW = 4  # of these, to each of the many parameters of the REST API
ENDLESS = "/api/v1/decisions/events"
HEAVY = (b" " * (1 << 21), iter([b" " * (1 << 20)] * 2))  # of a length that is said, and of none


@pytest.fixture
def bouncer(api: Api) -> httpx.Client:
    """Return a bouncer."""
    return api.bouncer()


@pytest.fixture
def reader(api: Api) -> httpx.Client:
    """Return who may read everything."""
    return asker(api, "read")


def questions(api: Api) -> Iterator[tuple[str, str]]:
    """Yield the path and parameter of every question that the description of the api names."""
    for path, ways in httpx.get(f"{api.url}/api/v1/openapi.json").json()["paths"].items():
        for parameter in ways.get("get", {}).get("parameters", ()):
            if path != ENDLESS and parameter["in"] in {"query", "path"}:
                yield path, parameter["name"]


def test_odd_questions(api: Api, bouncer: httpx.Client, reader: httpx.Client) -> None:
    """Every parameter of every question, with what is odd: an answer, or what is wrong."""
    for path, name in questions(api):
        who, values = (reader, ODD[:FEW]) if path.startswith("/api/") else (bouncer, ODD)
        for value in values:
            place = f"{{{name}}}"
            asked = path.replace(place, value) if place in path else f"{path}?{name}={value}"
            answer = who.get(f"{api.url}{asked}")
            assert answer.status_code in {200, 400, 404}, asked
            answer.json()


def test_parameters_that_nobody_knows(bouncer: httpx.Client, reader: httpx.Client) -> None:
    """They change nothing."""
    for who, path in ((bouncer, "/v1/decisions/stream"), (bouncer, "/v1/decisions"), (reader, "decisions")):
        assert who.get(path, params={"community_pull": "false", "additional_pull": "\0"}).status_code == 200


@pytest.mark.parametrize("body", HEAVY)
def test_heavy_bodies(api: Api, body: bytes | Iterator[bytes]) -> None:
    """413, by whatever door."""
    assert asker(api, "admin").post("decisions", content=body).status_code == 413


def test_a_wrong_key_costs_what_a_right_one_does(api: Api) -> None:
    """One look-up by hash, of a length that is always the same: how long it takes tells nothing of any key."""
    right = keys.add_bouncer_key(api.engine, "nginx", SAID, PEPPER).secret
    other = keys.add_client_key(api.engine, keys.Holder("acme"), SAID, PEPPER).secret
    asked: list[tuple[str, int]] = []
    event.listen(api.engine, "before_cursor_execute", lambda *said: asked.append((said[2], len(str(said[3])))))
    for secret in (right, other, right[:-1], "", "x" * 5_000):
        assert (keys.known(api.engine, secret, keys.BOUNCER, PEPPER) is not None) == (secret == right)
    assert len(asked) == 5
    assert len(set(asked)) == 1
