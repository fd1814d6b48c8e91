"""Tokens of a local issuer on a real socket: what is checked, and what happens when its keys change or it goes away."""

import base64
import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization

from gateway.access import Access, BadIssuer, Identity, Issuer, KeyRing, tokens
from gateway.access.jwks import KeySet
from gateway.access.tokens import TOKEN_LONGEST
from gateway.faults import Fault
from gateway.policy import Policy
from gateway.settings import GatewaySettings
from tests.gateway.build import images, serving, until
from tests.gateway.issuer import (
    AUDIENCE,
    PRIVATE,
    RSA,
    LocalIssuer,
    admitted,
    issuing,
    part,
    public,
    refused,
    trusted,
)

SOON = 0.05  # s
AWAY = "http://127.0.0.1:1/jwks"  # nothing listens there


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_good_token(door: Access, issuer: LocalIssuer, algorithm: str) -> None:
    """A token gives its client and roles, whatever of the allowed algorithms it is signed with."""
    found = admitted(door, issuer.token(algorithm))
    assert found == Identity("alice", None, frozenset({"predict"}), f"jwt:{algorithm}-1")
    assert found.key is None
    door.allow(found, "digits", "predict")


NOW = int(time.time())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "somebody-else"}, "wrong_audience"),
        ({"aud": [f"{AUDIENCE}x"]}, "wrong_audience"),
        ({"aud": None}, "missing_claim"),
        ({"iss": "https://evil.example"}, "unknown_issuer"),
        ({"iss": None}, "bad_token"),
        ({"exp": NOW - 31}, "expired_token"),
        ({"exp": None}, "missing_claim"),
        ({"exp": "soon"}, "bad_token"),
        ({"nbf": NOW + 3_600}, "early_token"),
        ({"sub": None}, "missing_claim"),
        ({"sub": ""}, "bad_name"),
        ({"sub": "a\nb"}, "bad_name"),
        ({"sub": "\ud800"}, "bad_token"),
        ({"sub": "é" * 257}, "bad_name"),
        ({"sub": "x" * TOKEN_LONGEST}, "long_token"),
        ({"kid": "ES256-2"}, "unknown_kid"),
        ({"kid": "RS256-1"}, "wrong_algorithm"),
    ],
)
def test_what_is_checked(door: Access, issuer: LocalIssuer, changes: dict[str, object], code: str) -> None:
    """Every claim that matters; the answer says so as RFC 6750 wants."""
    fault = refused(door, issuer.token(**changes))  # type: ignore[arg-type]  # claims of any type
    assert (fault.status, fault.code) == (401, code)
    assert fault.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", error_description="')


def test_leeway(door: Access, issuer: LocalIssuer) -> None:
    """Clocks may differ a little, either way."""
    assert admitted(door, issuer.token(exp=int(time.time()) - 20, nbf=int(time.time()) + 20)).client == "alice"


def test_algorithms_are_not_the_clients_choice(door: Access, issuer: LocalIssuer) -> None:
    """Neither "none", nor the public key as an HMAC secret, nor another signature, nor another key gets anyone in."""
    good = issuer.token("RS256")
    header, claims, signature = good.split(".")
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    none = part({"alg": "none", "kid": "RS256-1"}) + f".{claims}."
    assert refused(door, none).code == "wrong_algorithm"
    for secret in (pem, pem.strip(), b"", json.dumps(public("RS256", "RS256-1")).encode()):
        confused = part({"alg": "HS256", "kid": "RS256-1"}) + f".{claims}"
        mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(confused.encode(), secret)
        assert refused(door, f"{confused}.{part(mac)}").code == "wrong_algorithm"
    assert refused(door, f"{header}.{claims}.{signature[:-8]}AAAAAAAA").code == "wrong_signature"
    stranger = part({**json.loads(base64.urlsafe_b64decode(claims + "==")), "sub": "root"})
    assert refused(door, f"{header}.{stranger}.{signature}").code == "wrong_signature"


def test_a_missing_kid_is_refused(door: Access, issuer: LocalIssuer) -> None:
    """A token that does not say which key signed it is not tried against all of them."""
    for headers in ({}, {"kid": None}, {"kid": 7}, {"kid": ["ES256-1"]}):
        claims = issuer.token().split(".")[1]
        assert refused(door, f"{part({'alg': 'ES256', **headers})}.{claims}.AAAA").code == "bad_token"


def test_symmetric_keys_of_an_issuer_are_no_use() -> None:
    """An issuer that publishes a secret by mistake does not let its readers sign."""
    with issuing() as issuer:
        secret = b"0123456789abcdef0123456789abcdef"
        issuer.serve({"kty": "oct", "k": part(secret), "kid": "h", "alg": "HS256"}, public("ES256", "ES256-1"))
        door = Access(KeyRing(()), [trusted(issuer)])
        with following(door, issuer):
            claims = issuer.token().split(".")[1]
            signed = part({"alg": "HS256", "kid": "h"}) + "." + claims
            mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed.encode(), secret)
            assert refused(door, f"{signed}.{part(mac)}").code == "wrong_algorithm"


@contextlib.contextmanager
def following(door: Access, issuer: LocalIssuer, apart: float = SOON) -> Iterator[KeySet]:
    """Follow an issuer's keys, quickly, while the block lasts."""
    told, slow = door.tokens._known[issuer.url]
    keys = dataclasses.replace(slow, apart=apart)
    door.tokens._known[issuer.url] = told, keys
    keys.start()
    try:
        until(lambda: keys.fetches > 0 and (keys.keys or keys.why))
        yield keys
    finally:
        keys.stop()


def test_rotation_and_absence() -> None:
    """A new key is fetched when a token names it; one that is gone is refused; while the issuer is away all goes on."""
    with issuing() as issuer:
        door = Access(KeyRing(()), [trusted(issuer)])
        with following(door, issuer) as keys:
            admitted(door, issuer.token())
            issuer.serve(public("ES256", "ES256-2"))
            assert refused(door, issuer.token(kid="ES256-2")).code == "unknown_kid"
            until(lambda: "ES256-2" in keys.keys)
            assert admitted(door, issuer.token(kid="ES256-2")).credential == "jwt:ES256-2"
            assert refused(door, issuer.token(kid="ES256-1")).code == "unknown_kid"
            for issuer.status, issuer.body in ((503, b""), (302, b""), (200, b"<html>"), (200, b'{"keys":[]}'),
                                               (200, b'{"keys":[{"kty":"RSA","alg":[],"kid":"x"}]}'),
                                               (200, b"[" * 100_000)):  # fmt: skip
                before = keys.fetches
                refused(door, issuer.token(kid="ES256-3"))
                until(lambda before=before: keys.fetches > before and keys.why)  # type: ignore[misc]
                assert admitted(door, issuer.token(kid="ES256-2")).client == "alice"
                assert door.tokens.faults()[0].startswith(f"issuer {issuer.url}: ")
        assert admitted(door, issuer.token(kid="ES256-2")).client == "alice"


def test_a_token_is_verified_again_when_that_could_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token seen before is not remembered past its end, nor past its key; and no more than a few are."""
    monkeypatch.setattr(tokens, "SEEN_MOST", 3)
    with issuing() as issuer:
        door = Access(KeyRing(()), [trusted(issuer)])
        with following(door, issuer) as keys:
            ending, lasting = issuer.token(exp=int(time.time()) - 29), issuer.token()
            for token in (ending, lasting, ending, lasting):
                assert admitted(door, token).client == "alice"
            until(lambda: time.time() >= jwt.decode(ending, options={"verify_signature": False})["exp"] + 30)
            assert refused(door, ending).code == "expired_token"
            issuer.serve(public("ES256", "ES256-2"))
            refused(door, issuer.token(kid="ES256-2"))
            until(lambda: "ES256-2" in keys.keys)
            assert refused(door, lasting).code == "unknown_kid"
            for _ in range(5):
                admitted(door, issuer.token(kid="ES256-2"))
            assert len(door.tokens._seen) == 3


def test_unknown_keys_cannot_make_us_hammer_the_issuer() -> None:
    """However many tokens name keys that do not exist, the issuer is asked once in a while, and nobody waits for it."""
    with issuing() as issuer:
        door = Access(KeyRing(()), [trusted(issuer)])
        with following(door, issuer, apart=0.2):
            started = time.monotonic()
            while time.monotonic() < started + 1.0:
                begun = time.monotonic()
                assert refused(door, issuer.token(kid=str(begun))).code == "unknown_kid"
                assert time.monotonic() - begun < 0.5
        assert 2 <= issuer.asked <= 6


def test_an_issuer_that_never_answered() -> None:
    """Nobody is let in by keys that are not known: come back."""
    with issuing() as issuer:
        door = Access(KeyRing(()), [trusted(issuer, jwks_url=AWAY)])
        with following(door, issuer) as keys:
            fault = refused(door, issuer.token())
            assert (fault.status, fault.code) == (503, "issuer_unknown")
            assert keys.why


def test_names_and_tenants(issuer: LocalIssuer) -> None:
    """The claims that name client, tenant and roles are the operator's choice; a prefix keeps issuers apart."""
    told = trusted(issuer, prefix="corp:", client_claim="azp", tenant_claim="org", roles_claim="scope")
    door = Access(KeyRing(()), [told, Issuer(issuer="b", audience="b", jwks_url="https://b.example", prefix="b:")])
    with following(door, issuer):
        found = admitted(door, issuer.token(azp="app", org="acme", scope="openid digits"))
        assert (found.client, found.tenant, found.roles) == ("corp:app", "acme", frozenset({"openid", "digits"}))
        assert admitted(door, issuer.token(azp="app", scope=[1, "x"])).roles == frozenset({"x"})
        assert admitted(door, issuer.token(azp="app", scope={"x": 1})).roles == frozenset()
        with pytest.raises(Fault, match="may not"):
            door.allow(admitted(door, issuer.token(azp="app")), "digits", "predict")
        assert refused(door, issuer.token(azp="app", org=7)).code == "bad_name"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"algorithms": ("HS256",)}, "algorithms"),
        ({"algorithms": ("RS256", "none")}, "algorithms"),
        ({"algorithms": ()}, "algorithms"),
        ({"jwks_url": "http://issuer.example/jwks"}, "https://"),
        ({"jwks_url": "file:///etc/passwd"}, "https://"),
        ({"audience": ""}, "empty"),
        ({"leeway": 301}, "leeway"),
    ],
)
def test_bad_issuers(changes: dict[str, object], why: str) -> None:
    """What would let anyone in is refused when the gateway starts, in a line that says what would be right."""
    members = {"issuer": "a", "audience": "b", "jwks_url": "https://a.example/jwks", **changes}
    with pytest.raises(BadIssuer, match=why):
        Issuer(**members)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(members, Issuer)


@pytest.mark.parametrize(("one", "other"), [("", ""), ("", "b:"), ("a", "ab"), ("a:", "a:")])
def test_issuers_whose_clients_could_meet(one: str, other: str) -> None:
    """Two issuers may both know an alice: their names must not meet."""
    issuers = [
        Issuer(issuer=f"https://{number}.example", audience="x", jwks_url="https://x.example", prefix=prefix)
        for number, prefix in enumerate((one, other))
    ]
    with pytest.raises(BadIssuer, match="prefix"):
        Access(KeyRing(()), issuers)
    with pytest.raises(BadIssuer, match="twice"):
        Access(KeyRing(()), issuers[:1] * 2)


def test_over_http(alone: GatewaySettings) -> None:
    """A gateway takes tokens beside keys, and says in its health what is wrong with an issuer."""
    with issuing() as issuer, serving(dataclasses.replace(alone, policy=Policy(issuers=(trusted(issuer),)))) as running:
        asked = {"instances": images().tolist()}
        path = "/v1/models/digits:predict"

        def status(token: str) -> int:
            return running.http.post(path, json=asked, headers={"Authorization": f"Bearer {token}"}).status_code

        until(lambda: status(issuer.token()) == 200)
        assert running.ask().status_code == 200
        assert status(issuer.token(roles=[])) == 403
        assert status(issuer.token(aud="x")) == 401
        assert running.http.get("/healthz").json()["status"] == "ok"
