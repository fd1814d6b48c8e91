"""Ids and labels as numbers: 16 bytes of any id, a class code of any label."""

import hashlib
from contextlib import suppress

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_BASE32 = str.maketrans(
    CROCKFORD + CROCKFORD.lower()[10:], "0123456789abcdefghijklmnopqrstuv" + "abcdefghijklmnopqrstuv"
)
_ULID_CHARS = frozenset(CROCKFORD + CROCKFORD.lower())
_ULID_LENGTH = 26
_UUID_LENGTH = 36
_UUID_HEX_LENGTH = 32
OPAQUE = 1 << 62  # set in the code of every opaque label: no class index reaches it


def id_bytes(text: str) -> bytes:
    """Return 16 bytes for an id: those of a ULID or UUID (in any case), else its BLAKE2b-128."""
    length = len(text)
    if length == _ULID_LENGTH and text[0] <= "7" and _ULID_CHARS.issuperset(text):
        return int(text.translate(_TO_BASE32), 32).to_bytes(16, "big")
    if length == _UUID_LENGTH and text[8] == text[13] == text[18] == text[23] == "-":
        text_hex = text.replace("-", "")
    else:
        text_hex = text
    if len(text_hex) == _UUID_HEX_LENGTH and text_hex.isalnum():  # fromhex would skip spaces
        with suppress(ValueError):
            return bytes.fromhex(text_hex)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def label_code(label: str) -> int:
    """Return a stable code of an opaque label: 2^62 and above, so that it never equals a class index."""
    digest = hashlib.blake2b(label.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % OPAQUE | OPAQUE
