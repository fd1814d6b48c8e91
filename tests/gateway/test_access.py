"""The door: keys known by their hash, roles, refusals by name of the fault, and never open while unknown."""

import json
import random
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.records import Operation, Role
from gateway.access import Access, BadKey, Identity, KeyRing, Quota, hashed, presented, read_file
from gateway.faults import Fault
from tests.gateway.build import ALICE, SECOND, key_file, key_line

NOW = 1_790_000_000 * SECOND
PEPPER = b"a pepper of 32 bytes or thereby."
ROLES = (
    Role(role="digits", models=("digits", "digits-?"), day=100, month=2_000),
    Role(role="gold", models=(), day=5_000),
    Role(role="looker", operations=("metadata",)),
)
Headers = list[tuple[bytes, bytes]]


def key(text: str) -> Headers:
    """Return the headers of a request with this key."""
    return [(b"x-api-key", text.encode())]


def access(folder: Path) -> Access:
    """Return a door with the keys of the test file."""
    return Access(KeyRing(read_file(key_file(folder))))


def of(*roles: str) -> Identity:
    """Return a client with these roles."""
    return Identity("alice", None, frozenset(roles), "gk_alice")


@pytest.mark.parametrize(
    ("given_key", "code", "about"),
    [
        ("", "no_key", {}),
        ("nobody", "unknown_key", {}),
        ("x" * 100_000, "unknown_key", {}),
        ("a.b.c", "unknown_key", {}),
        ("expired", "expired_key", {"client": "carol", "credential": hashed("expired")[:8]}),
        ("revoked", "revoked_key", {"client": "dave", "credential": hashed("revoked")[:8]}),
    ],
)
def test_refusals(tmp_path: Path, given_key: str, code: str, about: dict[str, str]) -> None:
    """Each way in which a key can be bad has its own code, and the log hears whose it was, where that is known."""
    with pytest.raises(Fault) as refused:
        access(tmp_path).admit(key(given_key), NOW)
    assert (refused.value.status, refused.value.code, refused.value.about) == (401, code, about)
    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


def test_admits_and_revokes(tmp_path: Path) -> None:
    """A good key gives its client and its prefix; a revocation or a tombstone ends that at once."""
    door = access(tmp_path)
    door.ring.take(hashed(ALICE).upper(), key_line(ALICE, "alice", prefix="gk_alice").encode())
    assert door.admit(key(ALICE), NOW) == Identity("alice", "acme", frozenset({"predict"}), "gk_alice")
    door.ring.take(hashed(ALICE), key_line(ALICE, "alice", revoked=True).encode())
    with pytest.raises(Fault, match="revoked"):
        door.admit(key(ALICE), NOW)
    door.ring.take(hashed(ALICE), None)
    with pytest.raises(Fault, match="unknown"):
        door.admit(key(ALICE), NOW)


def test_expiry_is_to_the_microsecond() -> None:
    """A key that is rotated works up to its end and not at it."""
    ring = KeyRing(())
    ring.take(hashed("k"), key_line("k", "alice", expires="2026-09-21T14:13:20Z").encode())
    door = Access(ring)
    end = 1_790_000_000 * SECOND
    assert door.admit(key("k"), end - 1).client == "alice"
    with pytest.raises(Fault, match="expired"):
        door.admit(key("k"), end)


def test_unknown_keys_let_nobody_in() -> None:
    """Before the keys are known everybody is asked to come back: access never fails open."""
    with pytest.raises(Fault) as refused:
        Access(KeyRing()).admit(key(ALICE), NOW)
    assert refused.value.status == 503
    assert refused.value.headers["Retry-After"] == "1"


def test_pepper() -> None:
    """Under a pepper a key has another hash: whoever can write hashes but lacks it makes no key that works."""
    ring = KeyRing(())
    for client, pepper in (("plain", b""), ("peppered", PEPPER), ("other", b"another")):
        line = {"v": 1, "hash": hashed(client, pepper), "client": client}
        ring.take(hashed(client, pepper), json.dumps(line).encode())
    door = Access(ring, pepper=PEPPER)
    assert door.admit(key("peppered"), NOW).client == "peppered"
    for client in ("plain", "other"):
        with pytest.raises(Fault, match="unknown"):
            door.admit(key(client), NOW)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([(b"authorization", b"Bearer k1")], "k1"),
        ([(b"authorization", b"bearer  k1 ")], "k1"),
        ([(b"x-api-key", b"k1")], "k1"),
        ([(b"authorization", b"Basic abc")], None),
        ([], None),
    ],
)
def test_presented(headers: Headers, found: str | None) -> None:
    """A key comes as a bearer token or in X-API-Key."""
    assert presented(headers) == found


def test_file_holds_keys_and_roles(tmp_path: Path) -> None:
    """A line is a key or a role, as on the topic; one that is neither is named by its number."""
    path = tmp_path / "keys.jsonl"
    path.write_text(key_line("k", "alice", roles=["digits"]) + '\n\n{"v":1,"role":"digits","models":["digits"]}\n')
    door = Access(KeyRing(read_file(path)))
    identity = door.admit(key("k"), NOW)
    door.allow(identity, "digits", "predict")
    with pytest.raises(Fault, match="may not"):
        door.allow(identity, "letters", "predict")
    for bad in ("{}", "[", '{"role":"x","operations":["delete"]}', '{"role":"x","day":-1}', '{"v":2,"role":"x"}'):
        path.write_text(key_line(ALICE, "alice") + f"\n{bad}\n")
        with pytest.raises(BadKey, match="line 2"):
            read_file(path)


@pytest.mark.parametrize(
    ("held", "model", "operation", "permitted"),
    [
        (["predict"], "anything", "predict", True),
        (["predict"], None, "metadata", True),
        (["digits"], "digits", "predict", True),
        (["digits"], "digits-2", "metadata", True),
        (["digits"], "digits-22", "predict", False),
        (["digits"], "DIGITS", "predict", False),
        (["digits"], None, "metadata", True),
        (["looker"], "digits", "metadata", True),
        (["looker"], "digits", "predict", False),
        (["looker", "digits"], "digits", "predict", True),
        (["looker", "digits"], "letters", "predict", False),
        (["gold"], "digits", "metadata", False),
        (["gold"], None, "metadata", False),
        (["nobody-made-this"], "digits", "predict", False),
        ([], None, "metadata", False),
    ],
)
def test_roles(held: list[str], model: str | None, operation: Operation, permitted: bool) -> None:
    """Denied by default: a role permits its operations on its models, and what nobody defined permits nothing."""
    door = Access(KeyRing(ROLES))
    if permitted:
        door.allow(of(*held), model, operation)
    else:
        with pytest.raises(Fault) as refused:
            door.allow(of(*held), model, operation)
        assert (refused.value.status, refused.value.code) == (403, "not_allowed")
        assert refused.value.about.get("client") == "alice"


def test_quotas() -> None:
    """The largest quota of each kind counts; a role that says nothing of it takes none away."""
    door = Access(KeyRing(ROLES))
    assert door.quota(of("predict")) == Quota(None, None)
    assert door.quota(of("digits", "predict")) == Quota(100, 2_000)
    assert door.quota(of("digits", "gold")) == Quota(5_000, 2_000)


def test_a_role_may_take_the_place_of_the_built_in_one() -> None:
    """The role that keys have today can be narrowed, and its tombstone brings back what it was."""
    ring = KeyRing(())
    door = Access(ring)
    ring.take("role:predict", b'{"v":1,"role":"predict","models":["digits"]}')
    with pytest.raises(Fault, match="may not"):
        door.allow(of("predict"), "letters", "predict")
    ring.take("role:predict", None)
    door.allow(of("predict"), "letters", "predict")
    with pytest.raises(BadKey, match="not the hash or role"):
        ring.take("role:other", b'{"v":1,"role":"predict"}')


HEADER = st.sampled_from([b"authorization", b"x-api-key", b"cookie"])
VALUE = st.one_of(
    st.binary(max_size=64),
    st.builds(lambda scheme, rest: scheme + rest, st.sampled_from([b"Bearer ", b"bearer  ", b"Basic "]), st.binary()),
)


@settings(max_examples=200)
@given(headers=st.lists(st.tuples(HEADER, VALUE), max_size=4), loaded=st.booleans())
def test_any_headers_are_answered(headers: Headers, loaded: bool) -> None:
    """Whatever is sent is a refusal of ours: never admitted, never another error."""
    with pytest.raises(Fault) as refused:
        Access(KeyRing(() if loaded else None)).admit(headers, NOW)
    assert refused.value.status == (401 if loaded else 503)


def test_thousands_of_bad_keys(tmp_path: Path) -> None:
    """Keys of every length and alphabet, near ones of good keys among them, are all refused."""
    door, generator = access(tmp_path), random.Random(5)  # noqa: S311  # a seed
    for _ in range(5_000):
        near = list(ALICE * generator.randint(1, 3))
        near[generator.randrange(len(near))] = generator.choice(string.printable)
        text = "".join(near) if generator.random() < 0.5 else generator.randbytes(40).decode("latin-1")
        if text.strip() == ALICE:
            continue
        with pytest.raises(Fault) as refused:
            door.admit([(b"authorization", b"Bearer " + text.encode("latin-1"))], NOW)
        assert refused.value.status == 401
