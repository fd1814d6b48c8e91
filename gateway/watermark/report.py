"""Reports: what was found of a suspect, dated and signed (Ed25519, RFC 8032), so that others can check it.

A report file is JSON in one exact form; any other byte, a blank included, and the check fails. The signature says who
vouches, by the public key: compare that with what its owner published. That the key of the watermark is older than the
suspect is shown by depositing its fingerprint in time; the report names it.
"""

import base64
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.watermark import proof
from gateway.watermark.key import BadWatermark

MAKE_KEY: Final = "make one with: openssl genpkey -algorithm ed25519 -out KEY"


class Line(msgspec.Struct, frozen=True):
    """One kind of marks, as `proof.Count` has it."""

    kind: str
    marks: int
    matches: int
    null_rate: float
    p: float


class Report(msgspec.Struct, frozen=True, tag_field="v", tag=1, kw_only=True):
    """What is signed."""

    time: str  # RFC 3339
    suspect: str
    claim: str  # whose marks, in words
    key: str  # fingerprint of the secret
    lines: list[Line]
    p: float  # of all together
    level: float
    verdict: proof.Verdict


class Signed(msgspec.Struct, frozen=True):
    """The file."""

    report: Report
    public_key: bytes  # 32
    signature: bytes  # 64, of the report's JSON


def report(counts: list[proof.Count], *, time: str, suspect: str, claim: str, key: str) -> Report:
    """Return the report of what was counted."""
    lines = [Line(one.kind, one.marks, one.matches, one.rate, one.p) for one in counts]
    together, verdict = proof.together(counts), proof.verdict(counts)
    return Report(
        time=time, suspect=suspect, claim=claim, key=key, lines=lines, p=together, level=proof.LEVEL, verdict=verdict
    )


def sign(found: Report, key: Ed25519PrivateKey) -> bytes:
    """Return the file's bytes."""
    signature = key.sign(msgspec.json.encode(found))
    return msgspec.json.encode(Signed(found, key.public_key().public_bytes_raw(), signature)) + b"\n"


def check(data: bytes) -> Signed:
    """Return a signed report's content. Raises BadWatermark where a byte is not as it was signed."""
    try:
        signed = msgspec.json.decode(data, type=Signed)
    except (ValueError, RecursionError) as error:
        raise BadWatermark(f"not a signed report ({error})") from error
    if msgspec.json.encode(signed) + b"\n" != data:
        raise BadWatermark("not as it was signed: the file was written again or altered")
    try:
        public = Ed25519PublicKey.from_public_bytes(signed.public_key)
        public.verify(signed.signature, msgspec.json.encode(signed.report))
    except (ValueError, InvalidSignature) as error:
        raise BadWatermark("the signature is not of this report: it was altered") from error
    return signed


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read an unencrypted PEM file. Raises BadWatermark, OSError."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise BadWatermark(f"--sign: no file {path}; {MAKE_KEY}") from error
    except (ValueError, TypeError) as error:
        raise BadWatermark(f"--sign: {path} holds no unencrypted private key; {MAKE_KEY}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadWatermark(f"--sign: {path} is no Ed25519 key; {MAKE_KEY}")
    return key


def shown(public_key: bytes) -> str:
    """Return a public key as people compare it."""
    return base64.b64encode(public_key).decode()
