"""The map of a running HAProxy: what it holds after each decision, and after HAProxy has forgotten it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from consumers.channels import CHANNELS, haproxy
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Gone, Retry
from consumers.deliver import HTTP_BATCH, Lane, Post
from consumers.health import Health
from consumers.store import people
from consumers.store.engine import connect
from consumers.store.facts import Channels
from detector.decision import ANY_MODEL, Action, Key, Origin, Scope
from detector.records import encode_decision
from tests.consumers.owing import LATE, at, delivery
from tests.consumers.receivers import RuntimeSocket, runtime_socket
from tests.templates import make

END = LATE // 1_000_000
CHANNEL = "haproxy:edge"
DECIDED = Channels(decisions=(CHANNEL,))


@pytest.fixture
def socket() -> Iterator[RuntimeSocket]:
    """Return a HAProxy that has just started."""
    with runtime_socket() as running:
        yield running


def place(running: RuntimeSocket) -> Endpoint:
    """Return the endpoint of a HAProxy."""
    return at("haproxy", f"tcp://127.0.0.1:{running.port}")


def told(socket: RuntimeSocket, **facts: Any) -> Any:
    """Tell of a decision and return the outcome."""
    made = make.decision(**({"until": LATE} | facts))
    return haproxy.send(delivery("haproxy", encode_decision(made)), place(socket))


def test_the_map_follows_decisions(socket: RuntimeSocket) -> None:
    """A newer decision replaces the older, the allowlist is an entry of its own, a lift takes it away."""
    key = Key(Scope.CLIENT, "thief", "digits")
    assert told(socket, key=key) == Delivered()
    assert socket.map == {"client_id:digits:thief": f"block:{END}"}
    told(socket, key=key, action=Action.THROTTLE)
    assert socket.map == {"client_id:digits:thief": f"throttle:{END}"}
    told(socket, key=key, action=Action.ALLOW, origin=Origin.ALLOWLIST)
    assert socket.map == {"client_id:digits:thief": f"exempt:{END}"}
    told(socket, key=key, action=Action.ALLOW)
    assert socket.map == {}
    told(socket, key=key, shadow=True)
    assert socket.map == {}
    told(socket, key=key, shadow=True, origin=Origin.PERSON)
    assert list(socket.map) == ["client_id:digits:thief"]


def test_a_tombstone_takes_the_key_away(socket: RuntimeSocket) -> None:
    """Nothing is kept for ever."""
    told(socket, key=Key(Scope.CLIENT, "c", "m"))
    assert haproxy.send(delivery("haproxy", None), place(socket)) == Delivered()
    assert socket.map == {}


def test_names_are_no_commands(socket: RuntimeSocket) -> None:
    """What a client is called does not end a command or begin another; what no command can hold is given up."""
    for name in ("a b", "a;clear map x", "back\\slash", "zoë", "#1", "payload<<"):
        assert told(socket, key=Key(Scope.CLIENT, name, ANY_MODEL)) == Delivered()
        assert len(socket.received[-1].splitlines()) == 1
    assert {name.split(":", 2)[2] for name in socket.map} == {
        "a b",
        "a;clear map x",
        "backslash",
        "zoë",
        "#1",
        "payload<<",
    }
    assert isinstance(told(socket, key=Key(Scope.CLIENT, "a\nclear map x", ANY_MODEL)), Gone)


def test_a_socket_in_the_file_system_that_is_not_there(tmp_path: Path) -> None:
    """HAProxy that is away is tried again."""
    there = at("haproxy", f"unix://{tmp_path}/admin.sock?map=/x.map")
    assert haproxy.send(delivery("haproxy", None), there) == Retry("HAProxy: FileNotFoundError")


def test_a_map_that_was_forgotten_is_filled_again(database: str, socket: RuntimeSocket) -> None:
    """Once HAProxy has started again it gets everything in force, and what is over or lifted is not among it."""
    engine = connect(database)
    post, lane = (
        Post(engine, Health(), threading.Event()),
        Lane(CHANNEL, {CHANNEL: (CHANNELS["haproxy"], place(socket))}, HTTP_BATCH),
    )

    def settle() -> dict[str, str]:
        post.refill(lane)
        while post.send_batch(lane):
            pass
        return {name: entry.partition(":")[0] for name, entry in socket.map.items()}

    for client in ("thief", "other", "lifted"):
        order = people.Order(Scope.CLIENT, client, ANY_MODEL, Action.BLOCK, None, "caught", "ann")
        people.decide(engine, order, DECIDED)
    people.lift(engine, Scope.CLIENT, "lifted", ANY_MODEL, people.Said("ann", "a test"), DECIDED)
    people.allowlist_add(engine, people.Entry(Scope.TENANT, "acme", ANY_MODEL), people.Said("ann", "a test"), DECIDED)
    held = {"client_id:*:thief": "block", "client_id:*:other": "block", "tenant:*:acme": "exempt", "gamekeeper": "1"}
    assert settle() == held
    socket.map.clear()
    assert settle() == held
    sent = len(socket.received)
    assert settle() == held
    assert len(socket.received) == sent + 1  # it looked, and did nothing
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM deliveries WHERE outcome IS NULL")).scalar_one() == 0
    engine.dispose()
