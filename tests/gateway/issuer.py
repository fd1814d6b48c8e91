"""An issuer of tokens on a real socket: serves its public keys, and rotates them."""

import base64
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gamekeeper.demo.local_http import local_http
from gateway.access import Access, Identity, Issuer
from gateway.faults import Fault

AUDIENCE = "the-gateway"
RSA = rsa.generate_private_key(65_537, 2_048)  # slow to make: once
PRIVATE: Mapping[str, Any] = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
_FORMS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def public(algorithm: str, kid: str, **members: object) -> dict[str, object]:
    """Return the JWK of a key of ours."""
    made: dict[str, object] = _FORMS[algorithm].to_jwk(PRIVATE[algorithm].public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig", "alg": algorithm, **members}


class LocalIssuer:
    """What it serves, and how often it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.jwks_url = f"{url}/jwks"
        self.body = b""
        self.status = 200
        self.asked = 0
        self.serve(*(public(algorithm, f"{algorithm}-1") for algorithm in PRIVATE))

    def serve(self, *keys: object) -> None:
        """Serve these keys from now on."""
        self.body = msgspec.json.encode({"keys": keys})

    def token(self, algorithm: str = "ES256", kid: str | None = None, **changes: object) -> str:
        """Return a token of client alice that is good, but for the changes (None: without that claim)."""
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300, "roles": ["predict"],
        } | changes  # fmt: skip
        kept = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": kid or f"{algorithm}-1"}
        return jwt.encode(kept, PRIVATE[algorithm], algorithm, headers)


@contextlib.contextmanager
def issuing() -> Iterator[LocalIssuer]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the server's name for it
            issuer.asked += 1
            self.send_response(issuer.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(issuer.body)))
            self.end_headers()
            self.wfile.write(issuer.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with local_http(Handler) as port:
        issuer = LocalIssuer(f"http://127.0.0.1:{port}")
        yield issuer


def trusted(issuer: LocalIssuer, **changes: object) -> Issuer:
    """Return how a gateway is told of an issuer."""
    members = {"issuer": issuer.url, "audience": AUDIENCE, "jwks_url": issuer.jwks_url, **changes}
    return Issuer(**members)  # type: ignore[arg-type]  # a builder


def admitted(door: Access, token: str) -> Identity:
    """Return who the door takes the token's bearer for."""
    return door.admit([(b"authorization", b"Bearer " + token.encode("latin-1", "replace"))], 0)


def refused(door: Access, token: str) -> Fault:
    """Return why the door does not let the token's bearer in."""
    with pytest.raises(Fault) as fault:
        admitted(door, token)
    return fault.value


def part(content: object) -> str:
    """Return a segment of a token."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
