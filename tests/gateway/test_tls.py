"""HTTPS: with a certificate made here, TLS 1.2 and later, and clear words where certificate and key do not do."""

import dataclasses
import datetime as dt
import ipaddress
import socket
import ssl
import warnings
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.server import BadCertificate, certified
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, serving


def _write(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    """Write a self-signed certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, how))
    return paths


def _with(alone: GatewaySettings, cert: Path | None, key: Path | None) -> GatewaySettings:
    return dataclasses.replace(alone, tls_cert=cert, tls_key=key)


def test_serves_https(alone: GatewaySettings, tmp_path: Path) -> None:
    """A client that trusts the certificate gets its answer; TLS 1.1 and plain HTTP get none."""
    cert, key = _write(tmp_path, "own")
    with serving(_with(alone, cert, key)) as running:
        port = int(running.url.rpartition(":")[2])
        trusting = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(base_url=running.url, verify=trusting, headers={"X-API-Key": ALICE}) as http:
            assert http.get("/v1/models/digits").status_code == 200
        trusting.set_ciphers("ALL:@SECLEVEL=0")
        for version, good in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
            assert _shakes_hands(port, trusting, version) is good
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/v2/health/live")


def _shakes_hands(port: int, context: ssl.SSLContext, version: ssl.TLSVersion) -> bool:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # TLS 1.1 is what we try
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                return secure.version() is not None
        except (ssl.SSLError, ConnectionError):
            return False


def test_refuses_what_is_no_certificate(alone: GatewaySettings, tmp_path: Path) -> None:
    """One without the other, another's key, an encrypted key and a file that is none are refused before serving."""
    cert, key = _write(tmp_path, "own")
    _, other = _write(tmp_path, "other")
    locked_cert, locked = _write(tmp_path, "locked", b"password")
    for given, why in (
        ((cert, None), "only one of them is set"),
        ((None, key), "only one of them is set"),
        ((cert, other), "KEY_VALUES_MISMATCH"),
        ((locked_cert, locked), "not encrypted"),
        ((key, key), "in PEM"),
        ((tmp_path / "none", key), "No such file"),
    ):
        with pytest.raises(BadCertificate, match=why):
            certified(_with(alone, *given))
    assert certified(alone) is None
