"""Keys and roles all the way: from a person's word through Postgres, `deliver` and Kafka to every gateway."""

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from consumers.store import key_roles, keys, people
from detector.records import Role
from gateway.access import Access, Identity
from gateway.faults import Fault
from gateway.guard import guarding
from gateway.settings import GatewaySettings
from tests.consumers.road import Road, until

GATEWAYS = 2
PEPPER = b"0123456789abcdef0123456789abcdef"
SAID = people.Said("ana", "a test of ours")


@pytest.fixture
def doors(cold_road: Road) -> Iterator[list[Access]]:
    """Return the doors of gateways that follow the topic while `deliver` runs."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(cold_road.process("deliver"))
        guards = [guarding(_settings(cold_road, number), lambda _path: None) for number in range(GATEWAYS)]
        for guard in guards:
            stack.callback(guard.stop)
            guard.start()
        until(lambda: all(guard.access.loaded for guard in guards))
        yield [guard.access for guard in guards]


def _settings(road: Road, number: int) -> GatewaySettings:
    return GatewaySettings(bootstrap=road.kafka, topics=road.topics, name=f"edge-{number}", key_pepper=PEPPER)


def admitted(door: Access, secret: str) -> Identity | None:
    """Return who has the key, or None where it is refused."""
    try:
        return door.admit([(b"authorization", f"Bearer {secret}".encode())], time.time_ns() // 1000)
    except Fault:
        return None


def permitted(door: Access, secret: str, model: str) -> bool:
    """Tell whether the key's holder may ask the model."""
    identity = admitted(door, secret)
    assert identity is not None
    try:
        door.allow(identity, model, "predict")
    except Fault:
        return False
    return True


def test_revocation_is_quick_everywhere(cold_road: Road, doors: list[Access]) -> None:
    """From the person's word to the last gateway's refusal it takes less than a second."""
    made = [keys.add_client_key(cold_road.engine, keys.Holder(f"c{n}"), SAID, PEPPER) for n in range(3)]
    until(lambda: all(admitted(door, new.secret) for door in doors for new in made))
    taken = []
    for new in made:
        started = time.monotonic()
        keys.revoke_key(cold_road.engine, new.prefix, SAID)
        until(lambda secret=new.secret: not any(admitted(door, secret) for door in doors))  # type: ignore[misc]
        taken.append(time.monotonic() - started)
    assert sorted(taken)[1] < 1.0  # the median: the machine may be busy once


def test_rotation_overlaps(cold_road: Road, doors: list[Access]) -> None:
    """Both keys work during the overlap, as the same client with the same roles; after it, the new one alone."""
    holder = keys.Holder("alice", "acme", ("digits", "gold"))
    old = keys.add_client_key(cold_road.engine, holder, SAID, PEPPER)
    until(lambda: all(admitted(door, old.secret) for door in doors))
    new = keys.rotate_key(cold_road.engine, old.prefix, timedelta(hours=24), SAID, PEPPER)
    until(lambda: all(admitted(door, new.secret) for door in doors))
    for door in doors:
        before, after = admitted(door, old.secret), admitted(door, new.secret)
        assert before is not None
        assert after == Identity("alice", "acme", frozenset({"digits", "gold"}), new.prefix)
        assert before.credential == old.prefix
    keys.rotate_key(cold_road.engine, old.hash, timedelta(seconds=1), SAID, PEPPER)
    until(lambda: not any(admitted(door, old.secret) for door in doors))
    assert all(admitted(door, new.secret) for door in doors)


def test_roles_come_and_go(cold_road: Road, doors: list[Access]) -> None:
    """A role permits nothing before it is made, what it says while it is there, and nothing again once removed."""
    secret = keys.add_client_key(cold_road.engine, keys.Holder("bob", roles=("digits",)), SAID, PEPPER).secret
    until(lambda: all(admitted(door, secret) for door in doors))
    assert not any(permitted(door, secret, "digits") for door in doors)
    for _ in range(2):  # the same again, after its end
        key_roles.put_role(cold_road.engine, Role(role="digits", models=("digits",), day=9), SAID)
        until(lambda: all(permitted(door, secret, "digits") for door in doors))
        assert not any(permitted(door, secret, "letters") for door in doors)
        identity = admitted(doors[0], secret)
        assert identity is not None
        assert doors[0].quota(identity).day == 9
        key_roles.remove_role(cold_road.engine, "digits", SAID)
        until(lambda: not any(permitted(door, secret, "digits") for door in doors))
