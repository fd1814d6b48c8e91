"""Decisions as server-sent events: what is in force first, then what comes, and nothing lost in between."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from consumers.api import ApiSettings, events, house
from detector.decision import Action
from detector.standing import Standing
from tests.api.conftest import PEPPER, Api, serving
from tests.api.test_cursors import WRITERS, write
from tests.api.test_rest import asker
from tests.consumers.road import free_port, until
from tests.store.given import rows, saved, verdict

PATH = "decisions/events"


@dataclass(frozen=True)
class Event:
    """One event."""

    kind: str
    data: Any
    id: str | None


@contextmanager
def listening(client: httpx.Client, since: str | None = None) -> Iterator[Iterator[Event]]:
    """Follow the stream."""
    headers = {} if since is None else {"Last-Event-ID": since}
    with client.stream("GET", PATH, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Event]:
    said: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            said[name] = value
        elif said:
            yield Event(said["event"], json.loads(said["data"]), said.get("id"))
            said = {}


def until_complete(stream: Iterator[Event]) -> tuple[list[Any], str]:
    """Return the decisions up to the next point, and that point."""
    found: list[Any] = []
    for event in stream:
        if event.kind == "complete":
            assert event.id is not None
            return found, event.id
        assert event.id is None
        found.append(event.data)
    raise AssertionError("the stream ended")


def test_everything_then_as_it_comes(api: Api) -> None:
    """Who comes without an id gets what is in force; then each decision in its wire form, shadow ones marked."""
    client = asker(api, "read")
    api.decide("early", Action.THROTTLE)
    api.decide("gone")
    api.lift("gone")
    with listening(client) as stream:
        first, _ = until_complete(stream)
        assert [(one["value"], one["action"], one["v"]) for one in first] == [("early", "throttle", 1)]
        api.decide("thief")
        assert [(one["value"], one["serial"]) for one in until_complete(stream)[0]] == [("thief", 1)]
        saved(api.engine, verdict(Standing.CONFIRMED, client="shadow", shadow=True))
        assert [(one["value"], one["shadow"]) for one in until_complete(stream)[0]] == [("shadow", True)]


def test_who_comes_back_misses_nothing(api: Api) -> None:
    """With the last id come all decisions since, in order, once; also those that ended meanwhile."""
    client = asker(api, "read")
    with listening(client) as stream:
        _, point = until_complete(stream)
    api.decide("thief")
    api.lift("thief")
    with listening(client, point) as stream:
        missed, later = until_complete(stream)
    assert [(one["value"], one["action"]) for one in missed] == [("thief", "block"), ("thief", "allow")]
    with listening(client, later) as stream:
        assert until_complete(stream)[0] == []


def test_streams_end_and_go_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """While eight write, a client whose stream ends again and again hears of every decision, once."""
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.05)
    client = asker(api, "read")
    with listening(client) as stream:
        _, point = until_complete(stream)
    found: list[int] = []
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, api, number) for number in range(WRITERS)]
        ended = False
        while not ended:
            ended = all(one.done() for one in writing)
            with listening(client, point) as stream:
                for event in stream:
                    if event.kind == "complete":
                        point = event.id or point
                    else:
                        found.append(event.data["id"])
    assert sorted(found) == [number for (number,) in rows(api.engine, "SELECT id FROM decisions ORDER BY id")]


def test_ids_that_are_none(api: Api) -> None:
    """A malformed id is 400; one of another life of the database begins with everything."""
    client = asker(api, "read")
    api.decide("thief")
    for wrong in ("412", "1:2", "a:b:c", "0:0:", "1:1:" + "9" * 40):
        assert client.get(PATH, headers={"Last-Event-ID": wrong}).status_code == 400
    with listening(client, "900000000:900000000:") as stream:
        assert [one["value"] for one in until_complete(stream)[0]] == ["thief"]


def test_there_are_only_so_many(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told to come back; a place that is left is taken again. Without a key there is none."""
    monkeypatch.setattr(house, "STREAMS", 1)
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.05)
    client = asker(api, "read")
    assert httpx.get(f"{api.url}/api/v1/{PATH}").status_code == 401
    with serving(ApiSettings(api.database, port=free_port(), key_pepper=PEPPER)) as url:
        client.base_url = f"{url}/api/v1/"
        with listening(client) as stream:
            until_complete(stream)
            refused = client.get(PATH)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            list(stream)
        until(lambda: client.get(PATH).status_code == 200)
