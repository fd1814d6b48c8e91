"""API keys: known by their hash only (see `detector.records.hashed`), and what is wrong with one that is refused."""

from collections.abc import Iterable
from dataclasses import dataclass

from detector import records
from detector.times import parse_time
from gateway.access.identity import Identity
from gateway.faults import Fault, unauthorized

KEY_LONGEST = 512  # characters; anything longer is no key of ours and is not hashed
PREFIX = 8  # characters of its hash by which a key is named whose own prefix is not known


class BadKey(ValueError):  # noqa: N818  # named for what it says to the operator
    """An entry of the keys' topic or file that cannot be read; the message says why."""

    for_people = True  # the command line shows it as one line


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of one key; `expires` in µs since 1970 UTC."""

    hash: str
    prefix: str  # names it in logs
    client: str
    tenant: str | None
    roles: frozenset[str]
    expires: int | None
    revoked: bool


def read_key(value: bytes) -> ApiKey:
    """Read one API key (JSON). Raises BadKey."""
    try:
        entry = records.decode_api_key(value)
    except ValueError as error:
        raise BadKey(f"key: {error}") from error
    return ApiKey(
        hash=entry.hash.lower(),
        prefix=entry.prefix or entry.hash.lower()[:PREFIX],
        client=entry.client,
        tenant=entry.tenant,
        roles=frozenset(entry.roles),
        expires=None if entry.expires is None else parse_time(entry.expires),
        revoked=entry.revoked,
    )


def presented(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key or token in raw headers (`Authorization: Bearer` or `X-API-Key`), or None."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
        if name == b"x-api-key":
            return value.strip().decode("latin-1")
    return None


def identify(key: ApiKey, now: int) -> Identity:
    """Return whose key it is, at `now` (µs). Raises Fault (401) for one that was revoked or has expired."""
    if key.revoked:
        raise _unusable(key, "revoked_key", "this API key was revoked")
    if key.expires is not None and key.expires <= now:
        raise _unusable(key, "expired_key", "this API key has expired")
    return Identity(key.client, key.tenant, key.roles, key.prefix)


def _unusable(key: ApiKey, code: str, message: str) -> Fault:
    fault = unauthorized(code, message)
    fault.about = {"client": key.client, "credential": key.prefix}
    return fault
