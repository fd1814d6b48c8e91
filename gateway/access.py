"""Access: which client an API key belongs to. Keys are known by their SHA-256 only.

A look-up compares a hash with hashes by dict, so timing tells nothing of a key. Access never fails open: before
the keys are known nobody is let in.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from detector.records import decode_api_key, parse_time
from gateway.faults import Fault, unauthorized, unavailable

PREDICT = "predict"
KEY_LONGEST = 512  # characters; anything longer is no key of ours and is not hashed


class BadKey(ValueError):  # noqa: N818  # named for what it says to the operator
    """An entry of the keys' topic or file that cannot be read; the message says why."""

    for_people = True  # the command line shows it as one line


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of one key; `expires` in µs since 1970 UTC."""

    hash: str
    client: str
    tenant: str | None
    roles: frozenset[str]
    expires: int | None
    revoked: bool


def hashed(key: str) -> str:
    """Return the hexadecimal SHA-256 by which a key is known."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_entry(value: bytes) -> ApiKey:
    """Read one entry (JSON). Raises BadKey."""
    try:
        entry = decode_api_key(value)
    except ValueError as error:
        raise BadKey(f"key: {error}") from error
    expires = None if entry.expires is None else parse_time(entry.expires)
    return ApiKey(entry.hash.lower(), entry.client, entry.tenant, frozenset(entry.roles), expires, entry.revoked)


def read_file(path: Path) -> list[ApiKey]:
    """Read a file with one entry a line. Raises BadKey with the line, OSError."""
    keys = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            keys.append(read_entry(line.encode()))
        except BadKey as error:
            raise BadKey(f"{path}, line {number}: {error}") from error
    return keys


def presented(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key in a request's raw headers (`Authorization: Bearer` or `X-API-Key`), or None."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
        if name == b"x-api-key":
            return value.strip().decode("latin-1")
    return None


class KeyRing:
    """The keys in force, by hash."""

    def __init__(self, keys: Iterable[ApiKey] | None = None) -> None:
        self._keys: dict[str, ApiKey] = {}
        self.loaded = False  # False: nobody is let in
        if keys is not None:
            self.replace({key.hash: key for key in keys})

    def __len__(self) -> int:
        return len(self._keys)

    def replace(self, keys: Mapping[str, ApiKey]) -> None:
        """Put a complete set in the place of what was known."""
        self._keys = dict(keys)
        self.loaded = True

    def apply(self, key: ApiKey) -> None:
        """Take in a new or changed key."""
        self._keys[key.hash] = key

    def forget(self, hash_: str) -> None:
        """Drop a key; its bearer is unknown from now on."""
        self._keys.pop(hash_, None)

    def admit(self, key: str | None, now: int) -> ApiKey:
        """Return the key's entry at `now` (µs). Raises Fault: 401 for the key, 503 while keys are not known yet."""
        if not self.loaded:
            raise unavailable("keys_unknown", "the gateway does not know its keys yet")
        if not key:
            raise unauthorized("no_key", "no API key: send Authorization: Bearer KEY or X-API-Key: KEY")
        found = self._keys.get(hashed(key)) if len(key) <= KEY_LONGEST else None
        if found is None:
            raise unauthorized("unknown_key", "unknown API key")
        _refuse_unusable(found, now)
        return found


def _refuse_unusable(key: ApiKey, now: int) -> None:
    if key.revoked:
        raise unauthorized("revoked_key", "this API key was revoked")
    if key.expires is not None and key.expires <= now:
        raise unauthorized("expired_key", "this API key has expired")
    if PREDICT not in key.roles:
        raise Fault(403, "not_allowed", "this API key may not ask for predictions")
