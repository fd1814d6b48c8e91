"""Bearer tokens of OpenID Connect issuers (RFC 7519, RFC 8725, RFC 9068), verified by PyJWT.

An issuer's keys are fetched beside the requests (`jwks`), so verifying costs no network: a token that names a key we
do not know is refused, and the issuer asked soon.
"""

import base64
import hashlib
import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import msgspec

from gateway.access.identity import TOKEN, Identity
from gateway.access.jwks import KeySet
from gateway.faults import Fault, unauthorized, unavailable

TOKEN_LONGEST: Final = 8_192  # characters
SEEN_MOST: Final = 4_096  # verified tokens remembered, the newest
NAME_LONGEST: Final = 512  # bytes of UTF-8, of a client or tenant in the query record
LEEWAY_MOST: Final = 300  # s
ASYMMETRIC: Final = frozenset({
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
})  # fmt: skip
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

# The first that fits names the fault: its code, and what a person is told.
_FAULTS: Final[tuple[tuple[type[Exception], str, str], ...]] = (
    (jwt.ExpiredSignatureError, "expired_token", "the token has expired"),
    (jwt.ImmatureSignatureError, "early_token", "the token is not valid yet"),
    (jwt.InvalidAudienceError, "wrong_audience", "the token is meant for another audience"),
    (jwt.InvalidAlgorithmError, "wrong_algorithm", "the token is signed with an algorithm that is not allowed"),
    (jwt.InvalidSignatureError, "wrong_signature", "the token's signature does not fit"),
    (jwt.MissingRequiredClaimError, "missing_claim", "the token lacks a claim that is needed"),
    (Exception, "bad_token", "the token cannot be read"),
)


class BadIssuer(ValueError):  # noqa: N818  # named for what it says to the operator
    """An issuer that cannot be used; the message says why, and what would be right."""

    for_people = True  # the command line shows it as one line


class Issuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose tokens are taken, and what they say of a client. Raises BadIssuer."""

    issuer: str  # the claim `iss`, to the letter
    audience: str  # must be among the claim `aud`: a name for this gateway
    jwks_url: str  # where the issuer's public keys are
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    client_claim: str = "sub"
    tenant_claim: str | None = None
    roles_claim: str = "roles"  # a list of names, or names with blanks between, as in `scope`
    prefix: str = ""  # put before the client's name, so that it is nobody else's
    leeway: int = 30  # s that the issuer's clock may differ from ours

    def __post_init__(self) -> None:
        """Refuse what would let anyone in."""
        where = urlsplit(self.jwks_url)
        if where.scheme != "https" and (where.scheme, where.hostname in LOOPBACK) != ("http", True):
            raise BadIssuer(f"issuer {self.issuer}: jwks_url {self.jwks_url!r} must begin with https://")
        if not self.algorithms or not ASYMMETRIC.issuperset(self.algorithms):
            raise BadIssuer(f"issuer {self.issuer}: algorithms must be of {', '.join(sorted(ASYMMETRIC))}")
        if not (self.issuer and self.audience and self.client_claim and self.roles_claim):
            raise BadIssuer(f"issuer {self.issuer!r}: issuer, audience, client_claim and roles_claim must not be empty")
        if not 0 <= self.leeway <= LEEWAY_MOST:
            raise BadIssuer(f"issuer {self.issuer}: leeway must be from 0 to {LEEWAY_MOST} s")


class _Header(msgspec.Struct):
    kid: str


class _Claims(msgspec.Struct):
    iss: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """A token that was verified: a client comes with the same one for minutes, and a signature costs 0.1 to 0.2 ms."""

    identity: Identity
    ends: int  # s since 1970 UTC
    key: jwt.PyJWK
    keys: KeySet

    def holds(self, now: float) -> bool:
        """Tell whether it would pass again: not expired, and signed with a key that its issuer still has."""
        return now < self.ends and self.keys.keys.get(self.key.key_id or "") is self.key


class Tokens:
    """The issuers whose tokens are taken."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        """Raise BadIssuer where one client's name could be another's."""
        given = list(issuers)
        _check_apart(given)
        self._seen: dict[bytes, _Seen] = {}  # by the SHA-256 of the token
        self._known = {issuer.issuer: (issuer, KeySet(issuer.jwks_url)) for issuer in given}

    def __bool__(self) -> bool:
        return bool(self._known)

    def start(self) -> None:
        """Begin to fetch keys."""
        for _, keys in self._known.values():
            keys.start()

    def stop(self) -> None:
        """End what start() began."""
        for _, keys in self._known.values():
            keys.stop()

    def faults(self) -> list[str]:
        """Return what is wrong, for people."""
        return [f"issuer {name}: {keys.why}" for name, (_, keys) in self._known.items() if keys.why]

    def identify(self, token: str) -> Identity:
        """Return who the token says asks, by the clock on the wall.

        Raises Fault: 401 for the token, 503 while none of its issuer's keys is known yet.
        """
        mark = hashlib.sha256(token.encode()).digest()
        seen = self._seen.get(mark)
        if seen is None or not seen.holds(time.time()):
            seen = self._verify(token)
            self._remember(mark, seen)
        return seen.identity

    def _verify(self, token: str) -> "_Seen":
        kid, name = _peek(token)
        if name not in self._known:
            raise _invalid("unknown_issuer", "the token's issuer is not known here")
        issuer, keys = self._known[name]
        key = keys.find(kid)
        if key is None and not keys.keys:
            raise unavailable("issuer_unknown", "the keys of the token's issuer are not known yet")
        if key is None:
            raise _invalid("unknown_kid", "the token names a key that its issuer does not have, or not yet")
        claims = _claims(token, key, issuer)
        return _Seen(_identity(issuer, kid, claims), int(claims["exp"]) + issuer.leeway, key, keys)

    def _remember(self, mark: bytes, seen: "_Seen") -> None:
        if len(self._seen) >= SEEN_MOST:
            del self._seen[next(iter(self._seen))]
        self._seen[mark] = seen


def _peek(token: str) -> tuple[str, str]:
    """Return (kid, iss), not verified: they only choose the key. Raises Fault."""
    if len(token) > TOKEN_LONGEST:
        raise _invalid("long_token", f"the token is longer than {TOKEN_LONGEST} characters")
    try:
        header, claims, _ = token.split(".")
        kid = msgspec.json.decode(_bytes(header), type=_Header).kid
        return kid, msgspec.json.decode(_bytes(claims), type=_Claims).iss
    except (ValueError, RecursionError) as error:
        raise _invalid("bad_token", "the token cannot be read, or lacks kid or iss") from error


def _bytes(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _claims(token: str, key: jwt.PyJWK, issuer: Issuer) -> Mapping[str, Any]:
    """Return the claims of a token that is good. Raises Fault."""
    try:
        return jwt.decode(
            token,
            key,  # bound to one algorithm: what the token's header says must be the same, and allowed
            algorithms=issuer.algorithms,
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=issuer.leeway,
            options={"require": ["exp", "iss", "aud", issuer.client_claim], "enforce_minimum_key_length": True},
        )
    except (jwt.PyJWTError, ValueError) as error:
        code, message = next((code, message) for kind, code, message in _FAULTS if isinstance(error, kind))
        raise _invalid(code, message) from error


def _identity(issuer: Issuer, kid: str, claims: Mapping[str, Any]) -> Identity:
    tenant = None if issuer.tenant_claim is None else claims.get(issuer.tenant_claim)
    return Identity(
        client=_name(issuer.prefix, claims[issuer.client_claim]),
        tenant=None if tenant is None else _name("", tenant),
        roles=_roles(claims.get(issuer.roles_claim)),
        credential=TOKEN + kid,
    )


def _name(prefix: str, claim: Any) -> str:
    """Return a claim as the query record can hold it. Raises Fault."""
    if isinstance(claim, str) and claim.isprintable() and claim:
        named = prefix + claim
        if len(named.encode()) <= NAME_LONGEST:
            return named
    raise _invalid("bad_name", f"the token's client or tenant is no printable text of 1 to {NAME_LONGEST} bytes")


def _roles(claim: Any) -> frozenset[str]:
    names = claim.split() if isinstance(claim, str) else claim
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def _check_apart(issuers: list[Issuer]) -> None:
    for one, other in itertools.permutations(issuers, 2):
        if one.issuer == other.issuer:
            raise BadIssuer(f"issuer {one.issuer} is there twice; keep one")
        if one.prefix.startswith(other.prefix):
            raise BadIssuer(
                f"issuers {one.issuer} and {other.issuer}: a client of one could have the name of the other's; "
                "give each a prefix, and none that begins with another"
            )


def _invalid(code: str, message: str) -> Fault:
    """Return the refusal of a token, as RFC 6750, section 3 has it."""
    fault = unauthorized(code, message)
    fault.headers = {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{message}"'}
    return fault
