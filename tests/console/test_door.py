"""The door: who comes in, how long they stay, and what no page and no answer tells."""

from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import text

from consumers.api import ApiSettings
from consumers.api.console import guard
from consumers.api.console.acts import ACTS
from consumers.api.console.pages import MORE, PAGES
from consumers.store import keys, sessions
from tests.api.conftest import PEPPER, SAID, Api, serving
from tests.console.conftest import Person, token
from tests.consumers.road import free_port
from tests.store.given import one

Somebody = Callable[[str], Person]
SHOWN = [f"/console/{name}" for name in (*PAGES, "client?client=thief")]
FILES = [f"/console/static/{name}" for name in ("console.css", "console.js", "report.css", "icon.svg")]


def test_every_answer_bears_the_headers(api: Api, person: Somebody, thief: str) -> None:
    """Pages, forms, files, refusals and the login: nothing inline, no frame, nothing kept, nobody told."""
    ann = person("admin").http
    forms = [f"/console/{name}?value={thief}" for name in ("lift", "label", "block")]
    for address in (
        "/",
        *SHOWN,
        *FILES,
        *forms,
        "/console/nowhere",
        "/console/static/nowhere",
        "/console/episodes?cursor=x",
    ):
        answer = ann.get(address)
        assert {name: answer.headers.get(name) for name in guard.HEADERS} == guard.HEADERS
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert httpx.get(f"{api.url}/").headers["content-security-policy"] == guard.HEADERS["Content-Security-Policy"]


def test_no_page_needs_what_the_policy_forbids(person: Somebody, thief: str) -> None:
    """No inline script, style or handler."""
    ann = person("admin").http
    for address in (*SHOWN, f"/console/lift?value={thief}"):
        html = ann.get(address).text
        assert html.count("<script") == html.count('<script src="/console/static/') == 1
        for forbidden in ("<style", ' style="', " onclick", " onload", "javascript:"):
            assert forbidden not in html


def test_the_login_says_nothing_of_the_installation(api: Api, thief: str) -> None:
    """Neither names nor versions nor figures; and no page is shown to whoever has no session."""
    html = httpx.get(f"{api.url}/").text
    assert not any(word in html for word in (thief, "digits", "ann", "Postgres", "Kafka", "0.1"))
    for address in (*SHOWN, "/console/nowhere", "/console/lift?value=thief"):
        answer = httpx.get(f"{api.url}{address}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?over=yes")


def test_what_opens_the_door(api: Api, person: Somebody, capsys: pytest.CaptureFixture[str]) -> None:
    """A key of the REST API in use; every other answer is the same, in words, and none repeats what was typed."""
    ann = person("read")
    bouncer = api.bouncer().headers["X-Api-Key"]
    expired = keys.add_api_key(api.engine, keys.Holder("eve", roles=("admin",), expires=1), SAID, PEPPER).secret
    answers = {
        secret: Person(api.client("", follow_redirects=True), "").log_in(secret)
        for secret in ("wrong", bouncer, expired, "")
    }
    assert {answer.status_code for answer in answers.values()} == {401}
    assert len({answer.text for answer in answers.values()}) == 1
    assert "does not open this door" in answers["wrong"].text
    assert ann.http.get("/").url.path == "/console/overview"  # whoever is in is led on
    told = "".join(capsys.readouterr())
    assert told.count("logged in at the console") == 1
    assert told.count("a wrong key at the console") == 4
    assert not any(secret in told for secret in (ann.secret, bouncer, expired))


def test_the_cookie(api: Api, person: Somebody) -> None:
    """It is no key and holds none; scripts and other sites do not get it; over HTTPS it goes nowhere else."""
    ann = person("read")
    for proto, secure in (("http", False), ("https", True)):
        headers = {"Origin": api.url, "X-Forwarded-Proto": proto}
        answer = httpx.post(f"{api.url}/", data={"key": ann.secret}, headers=headers)
        cookie = answer.headers["set-cookie"]
        assert ann.secret not in cookie
        assert all(part in cookie for part in ("HttpOnly", "Path=/", "SameSite=strict", "Max-Age=28800"))
        assert ("Secure" in cookie) == secure
    kept = one(api.engine, "SELECT string_agg(hash || key, ' ') FROM sessions")
    assert ann.http.cookies["gamekeeper_session"] not in kept


def test_a_session_ends(api: Api, person: Somebody) -> None:
    """With the logout, with its time, with its key; at the next question."""
    out, late, revoked = (person("read") for _ in range(3))
    assert "Your API key" in out.send("/console/logout", token=token(out.look("overview"))).text
    kept = revoked.http.cookies["gamekeeper_session"]
    with api.engine.begin() as connection:
        for somebody in (late,):
            sql = text("UPDATE sessions SET ends = now() WHERE key = (SELECT key FROM sessions WHERE hash = :hash)")
            connection.execute(sql, {"hash": sessions._hash(somebody.http.cookies["gamekeeper_session"])})
    holder = sessions.holder(api.engine, kept)
    assert holder is not None
    keys.revoke_key(api.engine, holder.hash, SAID)
    for somebody in (out, late, revoked):
        answer = somebody.http.get("/console/overview")
        assert "Your API key" in answer.text
    assert "Your session is over" in revoked.http.get("/console/overview").text


def test_sessions_of_a_key_are_bounded(api: Api, person: Somebody) -> None:
    """The oldest goes where there are too many."""
    ann = person("read")
    for _ in range(sessions.AT_ONCE):
        Person(api.client("", follow_redirects=True), ann.secret).log_in()
    assert one(api.engine, "SELECT count(*) FROM sessions") == sessions.AT_ONCE
    assert "Your API key" in ann.http.get("/console/overview").text


def test_forms_of_other_sites_are_refused(api: Api, person: Somebody, thief: str) -> None:
    """Without the session's token, with another's, or from elsewhere nothing is done; looking changes nothing."""
    ann, bob = person("respond"), person("respond")
    good = {"token": token(ann.look("overview")), "why": "a test"}
    own = {"Origin": api.url}
    address = f"/console/lift?value={thief}"
    for headers, typed in (
        (own, {"why": "a test"}),
        (own, {**good, "token": token(bob.look("overview"))}),
        ({}, good),
        ({"Origin": "https://evil.example"}, good),
        ({"Origin": "null"}, good),
        ({**own, "Sec-Fetch-Site": "cross-site"}, good),
        ({**own, "Sec-Fetch-Site": "same-site"}, good),
    ):
        assert ann.http.post(address, data=typed, headers=headers).status_code == 403
    for act in ACTS:
        ann.http.get(f"/console/{act}?value={thief}")
    assert one(api.engine, "SELECT count(*) FROM audit_log WHERE what <> 'key-add'") == 0
    assert ann.http.post(address, data=good, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    foreign = httpx.post(f"{api.url}/", data={"key": ann.secret}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403  # nobody is logged in as somebody else


def test_guessing_is_slowed(monkeypatch: pytest.MonkeyPatch, api: Api, person: Somebody) -> None:
    """After some wrong keys from one network a minute passes; whoever is in stays in."""
    from consumers.api.console import door  # noqa: PLC0415

    monkeypatch.setattr(door, "_GUESSES", guard.Guesses())
    ann = person("read")
    guesser = Person(api.client(""), "")
    answers = [guesser.log_in(f"wrong {number}") for number in range(guard.GUESSES.amount + 1)]
    assert [answer.status_code for answer in answers] == [401] * guard.GUESSES.amount + [429]
    assert answers[-1].headers["retry-after"] == "60"
    assert "Overview" in ann.look("overview")


def test_it_can_be_switched_off(shared: tuple[str, str]) -> None:
    """Then there is nothing at its addresses, and the rest of the api is as it was."""
    database, _ = shared
    with serving(ApiSettings(database, port=free_port(), console=False)) as url:
        for address in ("/", "/console/overview", "/console/static/console.js"):
            assert httpx.get(url + address).status_code == 404
        assert httpx.get(f"{url}/health").status_code == 200


def test_all_pages_are_named_once() -> None:
    """Pages and acts share their addresses."""
    named = [*PAGES, *MORE, *ACTS]
    assert len(set(named)) == len(named)
