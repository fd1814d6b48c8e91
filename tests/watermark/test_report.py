"""Reports: what was signed is what is read, and any other byte is refused."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.watermark.key import BadWatermark
from gateway.watermark.proof import Count
from gateway.watermark.report import check, private_key, report, sign

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
FOUND = report(
    [Count("patterns", 25, 24, 0.1), Count("tails", 20, 3, 0.125)],
    time="2026-11-23T12:00:00Z",
    suspect="copy.keras",
    claim="the owner's trigger set",
    key="00ff",
)
FILE = sign(FOUND, KEY)


def test_a_report_is_read_as_it_was_signed() -> None:
    """All members come back, with the signer's public key."""
    signed = check(FILE)
    assert signed.report == FOUND
    assert signed.public_key == KEY.public_key().public_bytes_raw()
    assert signed.report.verdict == "copy"


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_any_other_byte_is_refused(at: int, change: int) -> None:
    """Whichever byte is altered, of report, key, signature or blank between, the check fails."""
    altered = bytearray(FILE)
    altered[at] ^= change
    with pytest.raises(BadWatermark):
        check(bytes(altered))


@pytest.mark.parametrize("data", [b"", b"{}", FILE[:-1], FILE + b"\n", b" " + FILE, b"[" * 100_000])
def test_what_is_no_report_is_refused(data: bytes) -> None:
    """Nothing, something else, and a report with something missing or added."""
    with pytest.raises(BadWatermark):
        check(data)


def test_the_signing_key_is_read_from_a_file(tmp_path: Path) -> None:
    """An Ed25519 key in PEM; other keys, other files and none are refused with what would be right."""
    file = tmp_path / "key.pem"
    for key, fine in ((KEY, True), (X25519PrivateKey.generate(), False)):
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        if fine:
            assert private_key(file).private_bytes_raw() == bytes(32)
        else:
            with pytest.raises(BadWatermark, match="openssl genpkey"):
                private_key(file)
    file.write_text("nonsense")
    for path in (file, tmp_path / "missing"):
        with pytest.raises(BadWatermark, match="openssl genpkey"):
            private_key(path)
