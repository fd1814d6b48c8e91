"""Who sits before a browser that has no script: it follows links, and sends forms as they stand on the page."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode

import httpx
import pytest

from consumers.store import keys
from detector.standing import Standing
from tests.api.conftest import PEPPER, SAID, Api, api, shared
from tests.store.given import saved, snapshot, verdict

__all__ = ["api", "shared"]  # fixtures of this folder too


@dataclass(frozen=True)
class Person:
    """Somebody at the console."""

    http: httpx.Client
    secret: str

    def log_in(self, secret: str | None = None) -> httpx.Response:
        """Type a key, one's own or another, and send it."""
        return self.send("/", key=self.secret if secret is None else secret)

    def look(self, page: str, **asked: str) -> str:
        """Return a page that there is."""
        answer = self.http.get(f"/console/{page}", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.text

    def act(self, name: str, about: dict[str, str], **typed: str) -> httpx.Response:
        """Open an act's form, fill it in, and send it with what is hidden in it."""
        address = f"/console/{name}?{urlencode(about)}"
        form = self.http.get(address)
        assert form.status_code == 200, form.text
        return self.send(address, token=token(form.text), **typed)

    def send(self, address: str, **typed: str) -> httpx.Response:
        """Send a form from a page of the console."""
        origin = str(self.http.base_url).rstrip("/")
        return self.http.post(address, data=typed, headers={"Origin": origin})


def token(html: str) -> str:
    """Return what the forms of a page bear."""
    found = re.search(r'name="token" value="([0-9a-f]{64})"', html)
    assert found is not None
    return found[1]


def words(html: str) -> str:
    """Return what a page says."""
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html.partition("<main")[2]).split()))


@pytest.fixture
def person(api: Api) -> Callable[[str], Person]:
    """Return how to get somebody who has logged in with a key of a role, and is called like it."""

    def made(role: str) -> Person:
        secret = keys.add_api_key(api.engine, keys.Holder(f"{role}-ann", roles=(role,)), SAID, PEPPER).secret
        somebody = Person(api.client("", follow_redirects=True), secret)
        assert "Overview" in somebody.log_in().text
        return somebody

    return made


@pytest.fixture
def thief(api: Api) -> str:
    """Return a client whom the detector has blocked; another one is watched."""
    saved(api.engine, verdict(Standing.SUSPECTED), verdict(Standing.CONFIRMED, 2), snapshots=[snapshot("thief")])
    saved(api.engine, verdict(Standing.WATCHED, 1, client="other"), snapshots=[snapshot("other")])
    return "thief"
