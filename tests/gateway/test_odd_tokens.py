"""Tokens that are nearly right, or nothing like it: only ever a refusal, never another error."""

import contextlib
import random

import jwt
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access import Access
from gateway.faults import Fault
from tests.gateway.issuer import PRIVATE, LocalIssuer, admitted, part, refused

AWAY = "http://127.0.0.1:1/jwks"  # nothing listens there
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSONS = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["ES256", "RS256", "none", "HS256"]) | JSONS, "kid": st.sampled_from(["ES256-1", "x"])},
    optional={"crit": JSONS, "b64": JSONS, "typ": JSONS, "jku": st.just(AWAY), "jwk": JSONS},
)
SEGMENTS = st.text(max_size=30) | st.binary(max_size=60).map(part)


@settings(max_examples=150, deadline=None)
@given(header=HEADERS, claims=st.dictionaries(st.sampled_from(["aud", "exp", "sub"]), JSONS), end=SEGMENTS)
def test_odd_tokens_are_refused(
    door: Access, issuer: LocalIssuer, header: dict[str, object], claims: dict[str, object], end: str
) -> None:
    """A header and claims that look right, but for something, and a signature that cannot be: always a refusal."""
    assert refused(door, f"{part(header)}.{part({'iss': issuer.url, **claims})}.{end}").status == 401


@settings(max_examples=150, deadline=None)
@given(segments=st.lists(SEGMENTS, min_size=2, max_size=4))
def test_nonsense_tokens_are_refused(door: Access, segments: list[str]) -> None:
    """What is no token at all is refused like one."""
    assert refused(door, ".".join(segments)).status == 401


@settings(max_examples=150, deadline=None)
@given(claims=st.dictionaries(st.sampled_from(["aud", "exp", "nbf", "iat", "sub", "jti", "roles"]), JSONS))
def test_signed_nonsense_is_refused_or_read(door: Access, issuer: LocalIssuer, claims: dict[str, object]) -> None:
    """Claims of any type, well signed, are either a client or a refusal, never another error."""
    token = (
        issuer.token()
        if not claims
        else jwt.encode({"iss": issuer.url, **claims}, PRIVATE["ES256"], "ES256", {"kid": "ES256-1"})
    )
    with contextlib.suppress(Fault):
        assert admitted(door, token).client


def test_thousands_of_broken_tokens(door: Access, issuer: LocalIssuer) -> None:
    """A good token with a character changed, cut or doubled is good no more."""
    generator = random.Random(7)  # noqa: S311  # a seed
    good = issuer.token()
    for _ in range(5_000):
        at = generator.randrange(len(good))
        changed = good[:at] + generator.choice(["", "A", ".", "=", "\x00", good[at] * 2, "é"]) + good[at + 1 :]
        if changed != good:
            assert refused(door, changed).status == 401
