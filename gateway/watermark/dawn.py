"""DAWN: marked answers. A keyed few of a client's answers name another class, always the same one for the same input.

A copy trained on them repeats some, and so names the client whose answers it is made of (Szyller, Atli, Marchal, Asokan
2021, "DAWN: Dynamic Adversarial Watermarking of Neural Networks"). Pure.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.outputs import labels
from gateway.watermark import keyed

SHARE_MAX: Final = 0.05  # of a client's inputs
CLASSES_MIN: Final = 3  # of two classes the other one is what an honest error names: such a mark proves nothing
SECRET_BYTES: Final = 16  # at least
DIRECTIONS: Final = 8
STEP: Final = 0.5  # of a cell along one direction, where an input's own numbers have a spread of one
WIDE: Final = 64  # numbers: from here on an input's numbers are taken to be of one scale (pixels), below a table's row

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Cells = list[bytes]
_FULL: Final = 1 << 64


class BadMarking(ValueError):  # noqa: N818  # named for what it says to the operator
    """Marking that cannot be; the message says what is wrong and what would be right."""

    for_people = True  # the command line shows it as one line


@dataclass(frozen=True, slots=True)
class Marking:
    """Whose answers are marked, and how many: `share` of the inputs, 0 to SHARE_MAX. Raises BadMarking."""

    secret: bytes
    client: str
    model: str
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= SHARE_MAX:
            raise BadMarking(f"mark: {self.share:g} is not a share from 0 to {SHARE_MAX}")
        if len(self.secret) < SECRET_BYTES:
            raise BadMarking(f"mark: the secret has {len(self.secret)} bytes; {SECRET_BYTES} are needed at least")


def marked(inputs: Floats, probabilities: Floats, marking: Marking) -> tuple[Floats, Bools]:
    """Return what to serve for float32 inputs [n, …] and answers [n, K], and which rows are marked, bool [n].

    A marked row's highest number changes places with that of a keyed other class. Models of two classes are not marked.
    """
    rows, classes = probabilities.shape
    if marking.share == 0 or classes < CLASSES_MIN or rows == 0:
        return probabilities, np.zeros(rows, np.bool_)
    chance, step = draws(cells(inputs, marking.secret), marking, classes)
    top = labels(probabilities)
    served = swapped(probabilities, top, (top + step) % classes)
    which = (chance < marking.share) & (labels(served) != top)  # a tie at the top would hide the mark
    return np.where(which[:, None], served, probabilities), which


def draws(found: Cells, marking: Marking, classes: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return for each cell its chance, 0..1 (below the share: marked), and how many classes on the label moves, 1..K-1.

    Both from keyed BLAKE2b (RFC 7693) of model, client and cell.
    """
    own = hashlib.blake2b(f"{marking.model}\0{marking.client}".encode(), key=_key(marking.secret)).digest()
    drawn = [hashlib.blake2b(cell, key=own, digest_size=16).digest() for cell in found]
    pairs = np.frombuffer(b"".join(drawn), "<u8").reshape(-1, 2)
    return pairs[:, 0] / _FULL, 1 + (pairs[:, 1] % np.uint64(classes - 1)).astype(np.int64)


def cells(inputs: Floats, secret: bytes) -> Cells:
    """Return the neighbourhood of each input: near inputs share it, so a tiny change does not undo a mark.

    The numbers, less their mean and over their own standard deviation (brightness, contrast and unit do not matter),
    are projected on 8 keyed directions, and each projection is rounded to half a unit with a keyed offset. Measured on
    MNIST: noise of 1e-4 of the inputs' spread moves less than 0.1 % to another neighbourhood, of 1 % 13 %, of 5 % half;
    2,000 images fall into 1,922. A row of fewer than 64 numbers is taken for a table's: its columns differ in scale, so
    asinh instead of the mean, and finer steps, for it has fewer numbers to tell rows apart by.
    """
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    if flat.shape[1] < WIDE:
        flat = np.concatenate([np.arcsinh(flat), np.ones((len(flat), 1))], axis=1)
    else:
        flat -= flat.mean(axis=1, keepdims=True)
    size = np.sqrt(np.mean(flat**2, axis=1, keepdims=True))
    directions, offset = _directions(secret, flat.shape[1])
    step = STEP * min(1.0, flat.shape[1] / WIDE)
    along = (flat / np.where(size > 0, size, 1.0)) @ directions
    return [row.tobytes() for row in np.floor(along / step + offset).astype("<i4")]


def swapped(probabilities: Floats, here: npt.NDArray[np.int64], there: npt.NDArray[np.int64]) -> Floats:
    """Return a copy of [n, K] in which each row's numbers at `here` and `there` have changed places."""
    rows = np.arange(len(probabilities))
    served = probabilities.copy()
    served[rows, here], served[rows, there] = probabilities[rows, there], probabilities[rows, here]
    return served


@lru_cache(maxsize=16)  # a gateway has one secret and few shapes
def _directions(secret: bytes, size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return signs [size, DIRECTIONS] scaled to length one each, and offsets [DIRECTIONS] in 0..1."""
    signs = keyed.below(secret, f"directions {size}", size * DIRECTIONS, 2) * 2 - 1
    offset = keyed.words(secret, "offsets", DIRECTIONS) / _FULL
    return signs.reshape(size, DIRECTIONS) / np.sqrt(size), offset


def _key(secret: bytes) -> bytes:
    return hashlib.blake2b(secret, person=b"dawn").digest()
