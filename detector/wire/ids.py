"""Ids and labels as numbers: 16 bytes of any id, a class code of any label."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_BASE32 = str.maketrans(
    CROCKFORD + CROCKFORD.lower()[10:], "0123456789abcdefghijklmnopqrstuv" + "abcdefghijklmnopqrstuv"
)
_ULID_CHARS = frozenset(CROCKFORD + CROCKFORD.lower())
_ULID_LENGTH = 26
_UUID_LENGTH = 36
_UUID_HEX_LENGTH = 32
_DASHES = [8, 13, 18, 23]  # places of a UUID
_DIGITS = [place for place in range(_UUID_LENGTH) if place not in _DASHES]
_BAD = 255  # value of what is no hexadecimal digit
_VALUES = np.full(256, _BAD, np.uint8)
for _at, _digit in enumerate(b"0123456789abcdef"):
    _VALUES[[_digit, ord(chr(_digit).upper())]] = _at
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


def id_column(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return the 16 bytes of each id, <u8[n, 2]; where all are UUIDs, as most producers write them, all at once."""
    whole = "".join(texts)
    if not whole.isascii() or set(map(len, texts)) != {_UUID_LENGTH}:
        return _numbers([id_bytes(text) for text in texts])
    chars = np.frombuffer(whole.encode(), np.uint8).reshape(-1, _UUID_LENGTH)
    digits = _VALUES[chars[:, _DIGITS]]
    found = np.ascontiguousarray(digits[:, ::2] << 4 | digits[:, 1::2]).view("<u8")
    other = (digits == _BAD).any(axis=1) | (chars[:, _DASHES] != ord("-")).any(axis=1)
    for row in np.flatnonzero(other).tolist():
        found[row] = _numbers([id_bytes(texts[row])])[0]
    return found


def _numbers(ids: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    return np.frombuffer(b"".join(ids), "<u8").reshape(-1, 2)


def label_code(label: str) -> int:
    """Return a stable code of an opaque label: 2^62 and above, so that it never equals a class index."""
    digest = hashlib.blake2b(label.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % OPAQUE | OPAQUE
