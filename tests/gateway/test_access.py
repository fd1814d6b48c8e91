"""API keys: known by their hash, refused by name of the fault, and never open while unknown."""

from pathlib import Path

import pytest

from gateway.access import BadKey, KeyRing, hashed, presented, read_entry, read_file
from gateway.faults import Fault
from tests.gateway.build import ALICE, SECOND, key_file, key_line

NOW = 1_790_000_000 * SECOND


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 401, "no_key"),
        ("", 401, "no_key"),
        ("nobody", 401, "unknown_key"),
        ("x" * 100_000, 401, "unknown_key"),
        ("expired", 401, "expired_key"),
        ("revoked", 401, "revoked_key"),
        ("no-role", 403, "not_allowed"),
    ],
)
def test_refusals(tmp_path: Path, key: str | None, status: int, code: str) -> None:
    """Each way in which a key can be bad has its own code."""
    ring = KeyRing(read_file(key_file(tmp_path)))
    with pytest.raises(Fault) as refused:
        ring.admit(key, NOW)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_admits_and_revokes(tmp_path: Path) -> None:
    """A good key gives its client; a revocation or a tombstone ends that at once."""
    ring = KeyRing(read_file(key_file(tmp_path)))
    assert ring.admit(ALICE, NOW).client == "alice"
    ring.apply(read_entry(key_line(ALICE, "alice", revoked=True).encode()))
    with pytest.raises(Fault, match="revoked"):
        ring.admit(ALICE, NOW)
    ring.forget(hashed(ALICE))
    with pytest.raises(Fault, match="unknown"):
        ring.admit(ALICE, NOW)


def test_unknown_keys_let_nobody_in() -> None:
    """Before the keys are known everybody is asked to come back: access never fails open."""
    with pytest.raises(Fault) as refused:
        KeyRing().admit(ALICE, NOW)
    assert refused.value.status == 503
    assert refused.value.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([(b"authorization", b"Bearer k1")], "k1"),
        ([(b"authorization", b"bearer  k1 ")], "k1"),
        ([(b"x-api-key", b"k1")], "k1"),
        ([(b"authorization", b"Basic abc")], None),
        ([], None),
    ],
)
def test_presented(headers: list[tuple[bytes, bytes]], key: str | None) -> None:
    """A key comes as a bearer token or in X-API-Key."""
    assert presented(headers) == key


def test_bad_file_names_the_line(tmp_path: Path) -> None:
    """A key file that cannot be read says where."""
    path = tmp_path / "keys.jsonl"
    path.write_text(key_line(ALICE, "alice") + "\n{}\n")
    with pytest.raises(BadKey, match="line 2"):
        read_file(path)
