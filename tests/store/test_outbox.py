"""The outbox: leases, order, outcomes, and waiting without missing anything."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from consumers.store import key_roles, keys, people
from consumers.store.facts import Missing
from consumers.store.leader import leading
from consumers.store.outbox import Delivered, Delivery, GivenUp, Retry, claim_deliveries, listen, settle
from consumers.store.people import Order, Said
from detector.decision import Action, Scope
from detector.records import Role, decode_api_key, decode_decision, decode_role, hashed
from detector.standing import Standing
from tests.store.given import CHANNELS, rows, saved, verdict

SAID = Said("ann", "a test")
LEASE = 30.0
_END = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def decide(engine: Engine, value: str, action: Action = Action.BLOCK) -> None:
    """Take a decision: one delivery to the topic, one to the push channel."""
    people.decide(engine, Order(Scope.CLIENT, value, "*", action, 60, "", "ann"), CHANNELS)


def bouncer(engine: Engine, secret: str, pepper: bytes = b"") -> str | None:
    """Return whose bouncer key a secret is."""
    line = keys.known(engine, secret, keys.BOUNCER, pepper)
    return None if line is None else line.client


def test_a_claimed_delivery_is_nobody_elses(engine: Engine) -> None:
    """While a lease lasts nobody else gets the delivery; after it, somebody does."""
    decide(engine, "a")
    [mine] = claim_deliveries(engine, 10, LEASE, ("topic",))
    assert (mine.kind, mine.attempts, mine.key) == ("decision", 1, b'["client_id","a","*"]')
    assert mine.payload is not None
    assert decode_decision(mine.payload).key.value == "a"
    assert claim_deliveries(engine, 10, LEASE, ("topic",)) == []
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET leased = now() - interval '1 second'"))
    [again] = claim_deliveries(engine, 10, LEASE, ("topic",))
    assert (again.id, again.attempts, again.message) == (mine.id, 2, mine.message)


def test_eight_claimers_get_each_delivery_once(engine: Engine) -> None:
    """However many claim at once, every delivery goes to one of them."""
    for number in range(40):
        decide(engine, f"client-{number}")
    with ThreadPoolExecutor(8) as pool:
        taken = [
            one.id for batch in pool.map(lambda _: claim_deliveries(engine, 10, LEASE), range(16)) for one in batch
        ]
    assert len(taken) == len(set(taken)) == 80


def test_the_older_of_a_key_goes_first(engine: Engine) -> None:
    """Of one channel and key only the oldest can be claimed; other keys and channels are not held up."""
    for action in (Action.THROTTLE, Action.BLOCK):
        decide(engine, "a", action)
    decide(engine, "b")
    claimed = claim_deliveries(engine, 10, LEASE)
    assert [(one.channel, one.key[14:15]) for one in claimed] == [
        ("topic", b"a"),
        ("push:edge", b"a"),
        ("topic", b"b"),
        ("push:edge", b"b"),
    ]
    settle(engine, claimed[0].id, Retry(3600, "away"))
    settle(engine, claimed[1].id, GivenUp("gone"))
    [next_one] = claim_deliveries(engine, 10, LEASE)
    assert (next_one.channel, next_one.key[14:15]) == ("push:edge", b"a")
    assert next_one.payload is not None
    assert decode_decision(next_one.payload).serial == 2


def test_outcomes_are_kept(engine: Engine) -> None:
    """Delivered, tried again later, and given up are told apart, and a settled one stays settled."""
    for value in ("a", "b", "c"):
        decide(engine, value)
    first, second, third = claim_deliveries(engine, 10, LEASE, ("topic",))
    settle(engine, first.id, Delivered())
    settle(engine, second.id, Retry(0, "refused"))
    settle(engine, third.id, GivenUp("410"))
    settle(engine, third.id, Delivered())
    kept = rows(engine, "SELECT outcome, why, settled IS NOT NULL FROM deliveries WHERE channel = 'topic' ORDER BY id")
    assert kept == [("delivered", None, True), (None, "refused", False), ("given-up", "410", True)]
    assert [one.id for one in claim_deliveries(engine, 10, LEASE, ("topic",))] == [second.id]


def test_listening_ends_when_something_is_owed(engine: Engine) -> None:
    """A delivery that comes while we wait wakes us long before the time is over; one that was there does so at once."""
    waiting = threading.Event()

    def owe() -> None:
        waiting.wait()
        decide(engine, "a")

    other = threading.Thread(target=owe)
    other.start()
    start = time.monotonic()
    waiting.set()
    assert listen(engine, 20.0)
    assert listen(engine, 20.0, ("topic",))
    assert time.monotonic() - start < 10
    other.join()


def test_listening_ends_when_its_time_is_over(engine: Engine) -> None:
    """With nothing to do, or nothing that may be tried yet, the wait ends in time, and sleeps meanwhile."""
    assert not listen(engine, 0.05)
    for action in (Action.THROTTLE, Action.BLOCK):
        decide(engine, "a", action)
    for delivery in claim_deliveries(engine, 10, LEASE):
        settle(engine, delivery.id, Retry(3600, "away"))
    spent = time.process_time()
    assert not listen(engine, 0.5)
    assert time.process_time() - spent < 0.25  # the younger of the key is due and blocked: no reason to spin


def test_listening_hears_what_is_due_later(engine: Engine) -> None:
    """A retry that falls due while we wait ends the wait, although nobody notifies."""
    decide(engine, "a")
    for delivery in claim_deliveries(engine, 10, LEASE):
        settle(engine, delivery.id, Retry(0.3, "away"))
    start = time.monotonic()
    assert listen(engine, 20.0)
    assert 0.1 < time.monotonic() - start < 10


def test_an_alert_is_known_by_one_name(engine: Engine) -> None:
    """The id that a webhook's receiver sees has no dot and is the same for every try and for the same verdict."""
    saved(engine, verdict(Standing.SUSPECTED))
    [alert] = claim_deliveries(engine, 10, LEASE, ("webhook:security",))
    assert alert.message.startswith("msg_")
    assert "." not in alert.message
    settle(engine, alert.id, Retry(0, "again"))
    assert [one.message for one in claim_deliveries(engine, 10, LEASE, ("webhook:security",))] == [alert.message]


def test_one_leads_at_a_time(engine: Engine) -> None:
    """Leadership ends with the block that held it."""
    with (
        leading(engine, "decisions") as first,
        leading(engine, "decisions") as second,
        leading(engine, "something else") as other,
    ):
        assert (bool(first), bool(second), bool(other)) == (True, False, True)
    with leading(engine, "decisions") as first:
        assert first


def test_a_leader_notices_that_its_session_is_gone(engine: Engine) -> None:
    """When the server ends the session that leads, another leads, and the first says that it does no more."""
    with leading(engine, "decisions") as first:
        assert first
        ended = rows(engine, _END)
        assert ended == [(True,)]
        with leading(engine, "decisions") as second:
            assert second
            assert not first
            assert not first


def test_client_keys_reach_the_gateways_and_are_not_stored(engine: Engine) -> None:
    """A key is shown once, stored hashed, owed to the topic `keys`, and revoked there, too."""
    new = keys.add_client_key(engine, keys.Holder("acme-app", "acme"), SAID)
    [made] = claim_deliveries(engine, 10, LEASE)
    assert (made.channel, made.kind, made.key) == ("keys", "key", new.hash.encode())
    assert made.payload is not None
    wire = decode_api_key(made.payload)
    assert (wire.hash, wire.client, wire.tenant, wire.revoked) == (hashed(new.secret), "acme-app", "acme", False)
    settle(engine, made.id, Delivered())
    assert keys.revoke_key(engine, new.prefix, SAID).revoked is not None
    [revoked] = claim_deliveries(engine, 10, LEASE)
    assert revoked.payload is not None
    assert decode_api_key(revoked.payload).revoked
    everything = str([rows(engine, f"TABLE {name}") for name in ("deliveries", "api_keys", "audit_log")])
    assert new.secret not in everything
    assert new.hash in everything
    with pytest.raises(Missing):
        keys.revoke_key(engine, new.prefix, SAID)


def test_bouncer_keys_open_the_api_until_revoked(engine: Engine) -> None:
    """A bouncer's key is known by its secret alone; a client's key is none, and nothing is owed to the topic."""
    new = keys.add_bouncer_key(engine, "nginx", SAID)
    client = keys.add_client_key(engine, keys.Holder("acme-app", expires=1), SAID)
    assert bouncer(engine, new.secret) == "nginx"
    assert bouncer(engine, client.secret) is None
    assert bouncer(engine, "nonsense") is None
    assert [(line.kind, line.client) for line in keys.list_keys(engine)] == [
        ("bouncer", "nginx"),
        ("client", "acme-app"),
    ]
    keys.revoke_key(engine, new.hash, SAID)
    assert bouncer(engine, new.secret) is None
    assert rows(engine, "SELECT DISTINCT channel FROM deliveries") == [("keys",)]


def test_a_rotated_key_ends_and_another_begins(engine: Engine) -> None:
    """In one transaction: the old key ends soon, the new one is the same client's, and the audit log knows both."""
    old = keys.add_client_key(engine, keys.Holder("acme-app", "acme", ("gold",)), SAID)
    new = keys.rotate_key(engine, old.prefix, timedelta(hours=24), SAID)
    lines = {line.hash: line for line in keys.list_keys(engine)}
    assert lines[new.hash].expires is None
    assert (lines[new.hash].client, lines[new.hash].tenant, lines[new.hash].roles) == ("acme-app", "acme", ("gold",))
    ends = lines[old.hash].expires
    assert ends is not None
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(hours=24)
    payloads = [decode_api_key(one.payload or b"") for one in _all_owed(engine)]
    ended = {one: [wire.expires is not None for wire in payloads if wire.hash == one] for one in (old.hash, new.hash)}
    assert ended == {old.hash: [False, True], new.hash: [False]}
    assert {wire.prefix for wire in payloads} == {old.prefix, new.prefix}
    assert [what for (what,) in rows(engine, "SELECT what FROM audit_log ORDER BY id")] == [
        "key-add", "key-add", "key-rotate",
    ]  # fmt: skip
    keys.rotate_key(engine, old.hash, timedelta(days=7), SAID)
    assert {line.hash: line for line in keys.list_keys(engine)}[old.hash].expires == ends  # never later than it was
    with pytest.raises(Missing, match="0 keys"):
        keys.rotate_key(engine, "gk_none!", timedelta(hours=1), SAID)


def test_a_bouncer_key_is_rotated_too(engine: Engine) -> None:
    """Both open the api during the overlap, and nothing of it goes to the gateways."""
    old = keys.add_bouncer_key(engine, "nginx", SAID, b"pepper")
    new = keys.rotate_key(engine, old.prefix, timedelta(hours=1), SAID, b"pepper")
    assert bouncer(engine, old.secret, b"pepper") == bouncer(engine, new.secret, b"pepper") == "nginx"
    assert bouncer(engine, new.secret) is None
    assert rows(engine, "SELECT 1 FROM deliveries") == []


def test_roles_are_owed_to_gateways_at_each_change(engine: Engine) -> None:
    """Made, changed, removed, made again: four records under one key, in order, and four lines in the audit log."""
    role = Role(role="digits", models=("digits", "digits-*"), operations=("predict",), day=100, month=None)
    key_roles.put_role(engine, role, SAID)
    key_roles.put_role(engine, Role(role="digits"), SAID)
    assert key_roles.list_roles(engine) == [Role(role="digits")]
    key_roles.remove_role(engine, "digits", SAID)
    assert key_roles.list_roles(engine) == []
    key_roles.put_role(engine, role, SAID)
    assert key_roles.list_roles(engine) == [role]
    owed = _all_owed(engine)
    assert {(one.channel, one.key) for one in owed} == {("keys", b"role:digits")}
    assert [one.payload and decode_role(one.payload) for one in owed] == [role, Role(role="digits"), None, role]
    assert [what for (what,) in rows(engine, "SELECT what FROM audit_log ORDER BY id")] == [
        "role-put", "role-put", "role-remove", "role-put",
    ]  # fmt: skip
    with pytest.raises(Missing, match="keys roles"):
        key_roles.remove_role(engine, "nobody-made-it", SAID)


def _all_owed(engine: Engine) -> list[Delivery]:
    """Deliver everything, and return it."""
    found: list[Delivery] = []
    while batch := claim_deliveries(engine, 10, LEASE):
        for one in batch:
            settle(engine, one.id, Delivered())
        found += batch
    return found
