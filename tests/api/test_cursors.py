"""Cursors: nothing is lost while many write, when an answer is lost, and when the database is another one."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from consumers.store import people, points, pulls
from consumers.store.facts import Missing
from detector.decision import ANY_MODEL, Action, Scope
from detector.standing import Standing
from tests.api.conftest import CHANNELS, SAID, Api
from tests.api.test_bouncers import stream, told
from tests.consumers.road import until
from tests.store.given import one, rows, saved, verdict

WRITERS = 8
ACTS = 40  # of each writer
CLIENTS = [f"client-{number}" for number in range(12)]
ACTIONS = (Action.PERTURB, Action.THROTTLE, Action.BLOCK)


class Bouncer:
    """A bouncer that keeps what it is told, by value alone as pycrowdsec does, and by value and type as Go's do."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.by_value: dict[str, str] = {}
        self.by_type: set[tuple[str, str]] = set()
        self.ids: set[int] = set()  # ever told as new
        self.deleted: list[tuple[str, str]] = []

    def pull(self, *, startup: bool = False) -> None:
        """Pull once: deleted, then new."""
        said = stream(self._http, startup=str(startup).lower())
        new, deleted = told(said)
        assert len(new) == len({value for value, _ in new})  # each value once
        self.by_type -= set(deleted)
        for value, _ in deleted:
            self.by_value.pop(value, None)
        self.by_value |= dict(new)
        self.by_type |= set(new)
        self.ids |= {one["id"] for one in said["new"]}
        self.deleted += deleted


def write(api: Api, number: int) -> None:
    """Do what people and the detector do, at random, on clients that all writers share."""
    dice = random.Random(number)  # noqa: S311  # the same each time
    for act in range(ACTS):
        client = dice.choice(CLIENTS)
        what = dice.randrange(5)
        if what == 0:
            _lift(api, client)
        elif what == 1 and act % 4 == 0:
            entry = people.Entry(Scope.CLIENT, client, ANY_MODEL)
            people.allowlist_add(api.engine, entry, SAID, CHANNELS)
            people.allowlist_remove(api.engine, Scope.CLIENT, client, ANY_MODEL, SAID, CHANNELS)
        else:
            _decide(api, client, dice.choice(ACTIONS), dice.choice(("digits", "letters", ANY_MODEL)))


def _lift(api: Api, client: str) -> None:
    try:
        api.lift(client)
    except Missing:
        return  # nobody has decided on it yet


def _decide(api: Api, client: str, action: Action, model: str) -> None:
    try:
        api.decide(client, action, model=model)
    except people.Exempt:
        return  # another writer has just put it on the allowlist


def test_eight_writers(api: Api) -> None:
    """While eight write and one pulls, at the end the bouncer holds what is in force, and nothing else."""
    bouncer, fresh = Bouncer(api.bouncer()), Bouncer(api.bouncer())
    bouncer.pull(startup=True)
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, api, number) for number in range(WRITERS)]
        while not all(one.done() for one in writing):
            bouncer.pull()
        for done in writing:
            done.result()
    bouncer.pull()
    fresh.pull(startup=True)
    assert bouncer.by_value == fresh.by_value == _in_force(api)
    for value, kind in bouncer.by_type:  # milder ones end by their time, none is stricter
        assert kind == bouncer.by_value[value] or _rank(kind) < _rank(bouncer.by_value[value])


def test_each_decision_is_between_two_points_once(api: Api) -> None:
    """While eight write, every decision lies between exactly two neighbouring points of a reader."""
    found: list[int] = []
    at = points.now(api.engine)
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, api, number) for number in range(WRITERS)]
        while True:
            ended = all(one.done() for one in writing)
            later = points.now(api.engine)
            found += [decision.id for page in points.between(api.engine, at.seen, later.seen) for decision in page]
            at = later
            if ended:
                break
    assert sorted(found) == [number for (number,) in rows(api.engine, "SELECT id FROM decisions ORDER BY id")]


def test_who_commits_late_is_not_passed_over(api: Api) -> None:
    """A decision with a lower number and an earlier time, committed after a higher one was told, is told as well."""
    bouncer = Bouncer(api.bouncer())
    with api.engine.connect() as slow:
        slow.execute(text("SELECT pg_advisory_xact_lock(1)"))
        writer = threading.Thread(target=_decide_late, args=(api,))
        writer.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        until(lambda: one(api.engine, waiting) == 1)
        api.decide("quick")
        bouncer.pull(startup=True)  # its cursor is past the higher number now, whatever overlaps
        assert bouncer.by_value == {"quick": "ban"}
        slow.rollback()
        writer.join()
    bouncer.pull()
    assert bouncer.by_value == {"quick": "ban", "late": "ban"}
    [[late], [quick]] = rows(api.engine, "SELECT id FROM decisions WHERE value IN ('late', 'quick') ORDER BY value")
    assert late < quick


def _decide_late(api: Api) -> None:
    """Take a decision, and wait for the lock before it is committed."""
    from consumers.store import heads  # noqa: PLC0415
    from consumers.store.facts import FOREVER  # noqa: PLC0415
    from detector.decision import Key, Origin  # noqa: PLC0415

    key = Key(Scope.CLIENT, "late", ANY_MODEL)
    with api.engine.begin() as connection:
        locked = heads.lock(connection, [key], [key])
        draft = heads.Draft(key, Action.BLOCK, FOREVER, Origin.PERSON, "caught")
        heads.write(connection, [heads.take(locked, draft)], ())
        connection.execute(text("SELECT pg_advisory_xact_lock(1)"))


def test_an_answer_that_is_lost_loses_nothing(api: Api) -> None:
    """What was told once is told again: also to who missed the answer, and to who heard the same word just before."""
    bouncer = api.bouncer()
    stream(bouncer, startup="true")
    api.decide("thief")
    for _ in range(3):
        assert told(stream(bouncer))[0] == [("thief", "ban")]
    _older(api, pulls.OVERLAP.total_seconds())
    assert told(stream(bouncer))[0] == [("thief", "ban")]
    assert told(stream(bouncer)) == ([], [])


def test_a_ban_between_two_unbans(api: Api) -> None:
    """What came and went between two pulls is deleted; what went and came is new."""
    bouncer = api.bouncer()
    stream(bouncer, startup="true")
    api.decide("gone")
    api.lift("gone")
    api.decide("back")
    api.lift("back")
    api.decide("back")
    assert told(stream(bouncer)) == ([("back", "ban")], [("gone", "ban")])


def test_an_answer_cut_short_moves_no_cursor(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a page fails the bouncer sees a broken answer, and gets everything the next time."""
    bouncer = api.bouncer()
    stream(bouncer, startup="true")
    _older(api, pulls.OVERLAP.total_seconds())
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE bouncers SET next_seen = seen, next_at = at"))
    before = one(api.engine, "SELECT bouncers::text FROM bouncers")
    for number in range(3):
        api.decide(f"thief-{number}")
    monkeypatch.setattr(pulls, "PAGE", 2)
    real = pulls.values

    def fail(*arguments: Any) -> list[pulls.Value]:
        if len(arguments[1]) == 1:  # the second page
            raise ZeroDivisionError("a fault of ours")
        return real(*arguments)

    monkeypatch.setattr(pulls, "values", fail)
    with pytest.raises(httpx.RemoteProtocolError):
        stream(bouncer)
    assert one(api.engine, "SELECT bouncers::text FROM bouncers") == before
    monkeypatch.setattr(pulls, "values", real)
    assert len(stream(bouncer)["new"]) == 3


def test_pages(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of many pages is one list, whatever the scopes."""
    monkeypatch.setattr(pulls, "PAGE", 3)
    bouncer = api.bouncer()
    for number in range(10):
        api.decide(f"thief-{number}")
        api.decide(f"198.51.100.{number}", scope=Scope.IP)
    for startup in ("true", "false"):
        said = stream(bouncer, scopes="client_id,ip", startup=startup)
        assert len({one["value"] for one in said["new"]}) == (20 if startup == "true" else 0)
    assert len(bouncer.get("/v1/decisions").json()) == 20
    for number in range(10):
        api.lift(f"thief-{number}")
        api.lift(f"198.51.100.{number}", Scope.IP)
    said = stream(bouncer, scopes="client_id,ip")
    assert (said["new"], len(said["deleted"])) == ([], 20)


def test_a_cursor_of_another_server(api: Api) -> None:
    """After a restore into a younger server everything is told anew, instead of nothing."""
    bouncer = api.bouncer()
    api.decide("thief")
    stream(bouncer, startup="true")
    _older(api, pulls.OVERLAP.total_seconds())
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE bouncers SET seen = '900000000:900000000:', next_seen = NULL"))
    assert told(stream(bouncer))[0] == [("thief", "ban")]


def test_bouncers_that_no_longer_pull_are_forgotten(api: Api) -> None:
    """Addresses come and go; their cursors end with the next pull of the same key."""
    bouncer = api.bouncer()
    stream(bouncer)
    with api.engine.begin() as connection:
        connection.execute(text("UPDATE bouncers SET address = '10.0.0.9', pulled = now() - interval '31 days'"))
    stream(bouncer)
    assert rows(api.engine, "SELECT address FROM bouncers") == [("127.0.0.1",)]


def test_the_detectors_decisions_arrive(api: Api) -> None:
    """A verdict's answer is pulled with its number and origin."""
    bouncer = api.bouncer()
    stream(bouncer, startup="true")
    saved(api.engine, verdict(Standing.CONFIRMED))
    [new] = stream(bouncer)["new"]
    assert (new["origin"], new["scenario"]) == ("detector", "gamekeeper/model-extraction")
    assert new["id"] == one(api.engine, "SELECT id FROM decisions")


def _older(api: Api, seconds: float) -> None:
    """Let a bouncer's points be older than they are."""
    with api.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE bouncers SET at = at - make_interval(secs => :s), next_at = next_at - make_interval(secs => :s)"
            ),
            {"s": seconds},
        )


def _in_force(api: Api) -> dict[str, str]:
    """Return what holds by the analysts' view: the strictest of each client."""
    found: dict[str, str] = {}
    for value, action in rows(api.engine, "SELECT value, action FROM active_decisions WHERE action <> 'allow'"):
        kind = "ban" if action == "block" else action
        if _rank(kind) > _rank(found.get(value, "")):
            found[value] = kind
    return found


def _rank(kind: str) -> int:
    return ("", "perturb", "throttle", "ban").index(kind)
