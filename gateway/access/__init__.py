"""The door: who asks, and whether that client may. Access never fails open: who is not known, or has no role, is out.

API keys (`keys`) and roles (`roles`) come into a `KeyRing` (`ring`) from the topic `keys` or a file; tokens of OpenID
Connect issuers (`tokens`) are verified here. `address` tells where a request came from behind proxies.
"""

from collections.abc import Iterable

from detector.records import Operation, hashed
from gateway.access.identity import Identity
from gateway.access.keys import KEY_LONGEST, ApiKey, BadKey, identify, presented
from gateway.access.ring import KeyRing, read_entry, read_file
from gateway.access.roles import Quota, permits, quota
from gateway.access.tokens import BadIssuer, Issuer, Tokens
from gateway.faults import Fault, unauthorized, unavailable

__all__ = [
    "Access",
    "ApiKey",
    "BadIssuer",
    "BadKey",
    "Identity",
    "Issuer",
    "KeyRing",
    "Quota",
    "hashed",
    "presented",
    "read_entry",
    "read_file",
]
DOTS = 2  # of a signed token


class Access:
    """Tells who asks, and what they may do."""

    def __init__(self, ring: KeyRing, issuers: Iterable[Issuer] = (), pepper: bytes = b"") -> None:
        """Raise BadIssuer for issuers whose clients could be taken for one another."""
        self.ring = ring
        self.tokens = Tokens(issuers)
        self._pepper = pepper

    @property
    def loaded(self) -> bool:
        """Tell whether keys and roles are known; until then nobody is let in."""
        return self.ring.loaded

    def admit(self, headers: Iterable[tuple[bytes, bytes]], now: int) -> Identity:
        """Return who asks, by a request's raw headers, at `now` (µs since 1970 UTC).

        A hash is looked up in a dict of hashes, so timing tells nothing of a key.
        Raises Fault: 401 for the key or token, 503 while keys are not known yet.
        """
        if not self.loaded:
            raise unavailable("keys_unknown", "the gateway does not know its keys yet")
        given = presented(headers)
        if not given:
            raise unauthorized("no_key", "no API key: send Authorization: Bearer KEY or X-API-Key: KEY")
        key = self.ring.find(hashed(given, self._pepper)) if len(given) <= KEY_LONGEST else None
        if key is not None:
            return identify(key, now)
        if self.tokens and given.count(".") == DOTS:
            return self.tokens.identify(given)
        raise unauthorized("unknown_key", "unknown API key")

    def allow(self, identity: Identity, model: str | None, operation: Operation) -> None:
        """Raise Fault (403) unless a role of the client's permits this on the model; on None, on any model at all."""
        if not permits(self.ring.roles(identity.roles), model, operation):
            fault = Fault(403, "not_allowed", "this client may not do that here; ask whoever gave you the key")
            about = {"client": identity.client, "credential": identity.credential}
            fault.about = about if model is None else {**about, "model": model}
            raise fault

    def quota(self, identity: Identity) -> Quota:
        """Return the largest quotas that the client's roles set."""
        return quota(self.ring.roles(identity.roles))
