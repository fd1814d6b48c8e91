"""The owner's key: a file with the secret, and what else the same triggers take. Who has it can claim: keep it."""

import hashlib
import os
import secrets
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from gateway.watermark.dawn import Floats
from gateway.watermark.keyed import Integers, fingerprint

SECRET_BYTES: Final = 32


class BadWatermark(ValueError):  # noqa: N818  # named for what it says to the owner
    """A key, data or report that cannot be used; the message says which, why and what to do."""

    for_people = True  # the command line shows it as one line


class Key(msgspec.Struct, frozen=True, tag_field="v", tag=1, kw_only=True):
    """A key as its file holds it (JSON). `data` is the digest of the inputs that the triggers are made of."""

    secret: bytes
    classes: int
    triggers: int
    data: str

    @property
    def name(self) -> str:
        """The fingerprint by which people know it."""
        return fingerprint(self.secret)


@dataclass(frozen=True, slots=True)
class Owned:
    """The owner's data: inputs [n, …] and, where known, classes i8[n]."""

    inputs: Floats
    label: Integers | None


def make(path: Path, owned: Owned, classes: int, triggers: int) -> Key:
    """Make a key for the data and write it where there is none yet. Raises BadWatermark, OSError."""
    key = Key(secret=secrets.token_bytes(SECRET_BYTES), classes=classes, triggers=triggers, data=digest(owned.inputs))
    try:
        write(path, key)
    except FileExistsError:
        raise BadWatermark(f"{path} is there already: use it with --key {path}, or write to another --out") from None
    return key


def read(path: Path) -> Key:
    """Read a key file. Raises BadWatermark, OSError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Key)
    except (ValueError, RecursionError) as error:
        raise BadWatermark(f"{path}: not a watermark key ({error}); `gamekeeper watermark embed` writes one") from error


def write(path: Path, key: Key) -> None:
    """Write a new key file that its owner alone can read. Raises FileExistsError, OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(key), indent=1) + b"\n")


def check(key: Key, inputs: Floats) -> None:
    """Raise BadWatermark unless these are the inputs that the key's triggers are made of."""
    if digest(inputs) != key.data:
        raise BadWatermark("--data: not the inputs with which this key was embedded; give the same file")


def digest(inputs: Floats) -> str:
    """Return 32 hexadecimal digits of float32 inputs, whatever their shape."""
    return hashlib.blake2b(np.ascontiguousarray(inputs, "<f4").tobytes(), digest_size=16).hexdigest()


def load(path: Path) -> Owned:
    """Read an `.npz` file: `x`, and `y` where there is one. Nothing is unpickled. Raises BadWatermark, OSError."""
    try:
        with np.load(path, allow_pickle=False) as held:
            found = {name: held[name] for name in ("x", "y") if name in held.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadWatermark(f"{path}: not an .npz file of arrays of numbers; nothing is unpickled") from error
    if "x" not in found or found["x"].dtype.kind not in "uif" or not len(found["x"]):
        raise BadWatermark(f"{path}: holds no inputs: call them 'x'")
    inputs = np.ascontiguousarray(found["x"], np.float32)
    if not np.isfinite(inputs).all():
        raise BadWatermark(f"{path}: holds NaN or an infinity; leave those rows out")
    return Owned(inputs, None if "y" not in found else _labels(path, found["y"], len(inputs)))


def _labels(path: Path, given: Any, rows: int) -> Integers:
    flat = given.ravel()
    if flat.dtype.kind not in "ui" or len(flat) != rows or flat.min() < 0:
        raise BadWatermark(f"{path}: y must hold one class, a whole number from 0, for each row of x")
    return np.asarray(flat, np.int64)
