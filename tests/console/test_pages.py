"""The pages: what they show, to whom, and that nothing hostile comes through."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import text

from consumers.api.console.pages import MORE, PAGES
from detector.decision import Action, Scope
from detector.standing import Standing
from tests.api.conftest import Api
from tests.console.conftest import Person, words
from tests.store.given import saved, snapshot, verdict

Somebody = Callable[[str], Person]
HOSTILE = (
    '"><script>alert(1)</script>',
    "../../etc/passwd?a=b&c=d#e",
    "100%25 \r\n of\tit\u202e",
    "'; DROP TABLE verdicts; --",
    "x" * 10_000,
)


def test_pages_are_sound_for_a_screen_reader(person: Somebody, thief: str) -> None:
    """A language, a title, one main and one h1; every table has a caption, scoped headers and a region with a name."""
    admin = person("admin")
    for name in (*PAGES, *MORE):
        html = admin.look(name, client=thief)
        assert '<html lang="en">' in html
        assert [html.count(tag) for tag in ("<title>", "<main", "<h1>")] == [1, 1, 1]
        assert html.count("<table>") == html.count("<caption>") == html.count('role="region" aria-label="')
        assert not re.search(r"<th(?! scope=|ead)", html)
        labelled = set(re.findall(r'<label for="([^"]+)"', html))
        assert labelled == set(re.findall(r'<(?:input|select) id="([^"]+)"', html))
        named = re.findall(r' id="([^"]+)"', html)
        assert len(named) == len(set(named))


def test_empty_pages_say_what_to_do(person: Somebody) -> None:
    """Where there is nothing, a sentence says so."""
    reader = person("read")
    for name in PAGES:
        assert len(words(reader.look(name))) > 60


def test_what_is_shown(api: Api, person: Somebody, thief: str) -> None:
    """Models, suspects with what is in force, episodes, decisions, one client with its report, health."""
    api.decide("198.51.100.7", Action.THROTTLE, scope=Scope.IP)
    with api.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO gateways (name, decisions, dropped, reported) VALUES ('edge', 3, 0, now())")
        )
    ann = person("respond")
    overview = words(ann.look("overview"))
    assert "Who does not stand clear: 1 confirmed, 1 watched" in overview
    assert "thief acme confirmed block digits 0.85" in overview
    assert "shadow: no population is learnt yet" in overview
    client = words(ann.look("client", client=thief))
    for said in (
        "block digits",
        "31 label flips in 64 near pairs",
        "is confirmed as stealing the model digits",
        "query 17 lies beside",
    ):
        assert said in client
    assert "thief no. 1 confirmed confirmed digits" in words(ann.look("episodes", standing="confirmed"))
    assert "198.51.100.7 ip every throttle" in words(ann.look("decisions"))
    assert "198.51.100.7" not in words(ann.look("decisions", value=thief))
    assert "thief digits throttle" in words(ann.look("decisions", which="ended"))
    assert "edge" in words(ann.look("health"))
    assert "predictions/0" in words(ann.look("health"))
    assert "other watched digits" in words(ann.look("clients"))


def test_who_may_only_read_sees_no_buttons(person: Somebody, thief: str) -> None:
    """And is refused what the buttons would do."""
    reader = person("read")
    for name in (*PAGES, *MORE):
        html = reader.look(name, client=thief)
        assert html.count('method="post"') == html.count("/console/logout") == 1
        assert "Lift…" not in html
    assert reader.http.get("/console/lift", params={"value": thief}).status_code == 403


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_escaped_shortened_and_reached(api: Api, person: Somebody, name: str) -> None:
    """From the overview to the client's page by the link that stands there."""
    judged = [verdict(Standing.CONFIRMED, client=name, tenant=name, reason=name)]
    saved(api.engine, *judged, snapshots=[snapshot(name)])
    ann = person("respond")
    for page in ("overview", "clients", "episodes", "decisions", "health"):
        html = ann.look(page)
        assert "<script>alert" not in html
        assert len(html) < 60_000
    links = re.findall(r'href="(/console/client\?[^"]+)"', ann.look("overview"))
    reached = ann.http.get(links[0].replace("&amp;", "&"))
    assert reached.status_code == 200
    assert "is <strong>confirmed</strong>" in reached.text
    assert "<script>alert" not in reached.text
    if len(name) < 512:
        assert ann.act("lift", {"value": name}, why="a test").status_code == 200
        assert "Nothing: this client is answered like everybody" in ann.look("client", client=name)


def test_lists_go_on(api: Api, person: Somebody) -> None:
    """Page by page, with the same filter; whatever else is asked for is refused in words."""
    for number in range(51):
        api.decide(f"client-{number}")
    ann = person("read")
    first = ann.look("decisions")
    [more] = re.findall(r'href="(/console/decisions\?[^"]*cursor=[^"]+)"', first)
    assert "client-50" in first
    rest = words(ann.http.get(more.replace("&amp;", "&")).text)
    assert "client-0 every block" in rest
    assert "That is all." in rest
    for asked in ({"cursor": "x"}, {"value": "\x00"}):
        assert ann.http.get("/console/decisions", params=asked).status_code == 400
    assert ann.http.get("/console/client", params={"client": "nobody"}).status_code == 404
    assert ann.http.get("/console/nowhere").status_code == 404
