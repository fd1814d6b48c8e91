"""Keyed choices: numbers that who has the secret draws again, bit for bit, and nobody else can guess."""

import hashlib

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]


def words(secret: bytes, what: str, count: int) -> Words:
    """Return `count` random words for one purpose (SHAKE-256, FIPS 202, keyed by its prefix)."""
    return np.frombuffer(hashlib.shake_256(_prefix(secret, what)).digest(8 * count), "<u8")


def below(secret: bytes, what: str, count: int, bound: int) -> Integers:
    """Return `count` whole numbers in 0..bound-1, alike likely but for one part in 2^64 / bound."""
    return (words(secret, what, count) % np.uint64(bound)).astype(np.int64)


def order(secret: bytes, what: str, count: int) -> Integers:
    """Return the numbers 0..count-1 in a keyed order."""
    return np.argsort(words(secret, what, count), kind="stable").astype(np.int64)


def fingerprint(secret: bytes) -> str:
    """Return 32 hexadecimal digits by which people know a secret; deposited in time, they show how old it is."""
    return hashlib.blake2b(secret, digest_size=16, person=b"fingerprint").hexdigest()


def _prefix(secret: bytes, what: str) -> bytes:
    return hashlib.blake2b(secret, digest_size=64, person=b"watermark").digest() + what.encode()
