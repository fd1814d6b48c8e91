"""A certificate authority of a test, and what it signs."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    cert: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """Signs certificates of 127.0.0.1; whoever trusts `pair.cert` trusts them."""

    folder: Path
    pair: Pair
    certificate: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    def issue(self, name: str, address: str = "127.0.0.1") -> Pair:
        """Return a signed certificate for an address."""
        private = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = _builder(name, self.certificate.subject, private).add_extension(alternative, critical=False)
        return _write(self.folder, name, builder.sign(self.private, hashes.SHA256()), private)


def authority(folder: Path, name: str = "ca") -> Authority:
    """Return a new authority that keeps its files in `folder`."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(name, subject, private).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    certificate = builder.sign(private, hashes.SHA256())
    return Authority(folder, _write(folder, name, certificate, private), certificate, private)


def _builder(name: str, issuer: x509.Name, private: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().issuer_name(issuer).public_key(private.public_key())
    builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - DAY).not_valid_after(now + DAY)


def _write(folder: Path, name: str, certificate: x509.Certificate, private: ec.EllipticCurvePrivateKey) -> Pair:
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form, open_ = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pair.key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, open_))
    pair.key.chmod(0o600)
    return pair
