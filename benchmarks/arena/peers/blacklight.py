"""Blacklight-like: the fingerprints of a search's queries share most of their hashes.

An input, salted and quantised to six levels, is hashed window by window; the fifty highest hashes are its fingerprint.
A query that shares half of its fingerprint with one earlier query is an alarm. The paper's store is shared by all
clients; here each client has its own, as every other detector in the arena. Six levels in twenty places fit 64 bits,
so a window is its own number, and a keyed mix of it stands for the paper's SHA-256. Calibrated it blocks nobody as
soon as one client of the past sent one input twice: no query shares more than the whole of its fingerprint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from benchmarks.arena.data import Data, Floats, Random
from benchmarks.arena.peers.peer import Checks, Fitted, Numbers, Peer
from benchmarks.arena.stream import Stream, World

WINDOW: Final = 20  # numbers in a window, one step apart; the authors' setting for small images
KEPT: Final = 50  # hashes in a fingerprint
STEP: Final = 50  # of 255: the quantisation
LEVELS: Final = 6  # 0, 50, ... 250
ENOUGH: Final = 0.5  # share of a fingerprint
DEPTH: Final = 255.0  # what inputs are scaled to
BLOCK: Final = 500  # queries compared at once

Hashes: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Glass:
    """How inputs are looked at: scaled by f4[D] to 255, salted f8[D], the hashes keyed."""

    low: Floats
    scale: Floats
    salt: Numbers
    key: np.uint64

    @classmethod
    def of(cls, data: Data, rng: Random) -> "Glass":
        """Return a glass for the data's inputs with a salt of its own."""
        span = data.high - data.low
        scale = np.asarray(DEPTH / np.where(span > 0, span, 1), np.float32)
        salt = rng.integers(int(DEPTH), size=len(span)).astype(np.float64)
        return cls(data.low, scale, salt, np.uint64(rng.integers(2**63)))


def prepare(world: World, _past: Sequence[Stream]) -> Fitted:
    """Return Blacklight with a salt of this world; it learns nothing from the past."""
    threshold = float(np.nextafter(ENOUGH, 0))  # half is enough
    return Fitted({"Blacklight": threshold}, partial(scores, Glass.of(world.data, world.random("peers", "blacklight"))))


PEER: Final = Peer("Blacklight", "Li et al., USENIX Security 2022, arXiv 2006.14042", prepare)


def scores(glass: Glass, stream: Stream) -> Checks:
    """Return, at each query, the largest share of its fingerprint that one earlier query has too."""
    prints = [fingerprint(glass, row) for row in stream.inputs]
    return Checks(np.arange(1, len(prints) + 1), shares(prints) if prints else np.empty(0))


def fingerprint(glass: Glass, row: Floats) -> Hashes:
    """Return the highest hashes u8[<= 50] of an input f4[D], all different."""
    salted = ((row - glass.low) * glass.scale + glass.salt) % DEPTH
    levels = np.rint(salted / STEP).astype(np.uint64)
    width = min(WINDOW, max(1, len(levels) // 2))  # a table's row has few numbers
    count = len(levels) - width + 1
    codes = np.zeros(count, np.uint64)
    for at in range(width):
        codes = codes * np.uint64(LEVELS) + levels[at : at + count]
    return np.unique(_mixed(codes ^ glass.key))[-KEPT:]


def _mixed(codes: Hashes) -> Hashes:
    """Return the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): one to one, and in no order."""
    codes = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    codes = (codes ^ (codes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return codes ^ (codes >> np.uint64(31))


def shares(prints: Sequence[Hashes]) -> Numbers:
    """Return f8[n], the largest share of each fingerprint that is found in a single earlier one."""
    sizes = np.array([len(one) for one in prints])
    known, column = np.unique(np.concatenate(prints), return_inverse=True)
    row = np.repeat(np.arange(len(prints)), sizes)
    holds = sparse.csr_array((np.ones(len(row), np.int32), (row, column)), (len(prints), len(known)))
    most = np.zeros(len(prints))
    for begin in range(0, len(prints), BLOCK):
        common = sparse.coo_array(holds[begin : begin + BLOCK] @ holds[: begin + BLOCK].T)
        here, there = common.coords
        earlier = there < here + begin
        np.maximum.at(most, here[earlier] + begin, common.data[earlier])
    return np.asarray(most / sizes, np.float64)
