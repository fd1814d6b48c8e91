"""Population: what a model's ordinary clients look like together; an immutable version.

A `.gk` file is one msgpack map, zstd-compressed: named arrays and plain numbers, no pickle, no code.
It holds one population for each model that the past records spoke of.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from detector.query import Shape

FORMAT = "gamekeeper.population"
VERSION = 1
MEBIBYTE = 1 << 20
LARGEST = 256 * MEBIBYTE  # unpacked size that load() accepts: a bound against crafted files
CLIENTS_MIN = 100  # fewer ordinary clients than this: cold, decisions are shadow
QUERIES_MIN = 50  # a client counts as known from this many queries on
_DTYPES = frozenset({"<f4", "<f8", "<f2", "<i2", "<i4", "<i8", "|u1", "|b1", "<u2", "<u4", "<u8"})

Array = npt.NDArray[Any]


class BadPopulation(ValueError):  # noqa: N818  # named for what it says to the operator
    """A population file that cannot be used; the message says what is wrong with it."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Population:
    """One model's population.

    `arrays` holds the learnt geometry, surrogate, cells and calibration samples under the names that
    `detector/learning` writes and `detector/features` reads; `numbers` the learnt scalars (radius, event
    thresholds, medians); `ceilings` one probability p0 an event, `strong` the higher null of the strong
    mechanisms. An event without a ceiling was dropped: it is never evaluated.
    """

    model: str
    shape: Shape
    clients: int  # ordinary clients it was learnt from
    known: int  # those with QUERIES_MIN queries or more
    queries: int
    oldest: int  # scored queries of the longest life seen
    since: int  # µs, event time of the first and
    until: int  # of the last query it was learnt from
    gated: bool  # few kinds of clients and no virtual ones: distribution evidence alone never blocks
    numbers: Mapping[str, float]
    ceilings: Mapping[str, float]
    strong: Mapping[str, float]
    arrays: Mapping[str, Array]
    notes: Sequence[str] = field(default=())  # what `learn` has to say about how good it is

    @property
    def cold(self) -> bool:
        """Tell whether too few ordinary clients were seen to enforce anything."""
        return self.known < CLIENTS_MIN

    @property
    def version(self) -> str:
        """16 hexadecimal digits of the content."""
        return hashlib.blake2b(_pack(self), digest_size=8).hexdigest()


def dump(populations: Sequence[Population]) -> bytes:
    """Return the bytes of a `.gk` file."""
    document = {"format": FORMAT, "v": VERSION, "populations": [_pack(population) for population in populations]}
    return zstandard.ZstdCompressor(level=6).compress(msgspec.msgpack.encode(document))


def load(data: bytes) -> dict[str, Population]:
    """Return the populations of a `.gk` file by model. Raises BadPopulation."""
    try:
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=LARGEST)
        document = msgspec.msgpack.decode(raw)
        if document["format"] != FORMAT or document["v"] != VERSION:
            raise BadPopulation(
                f"population: format {document['format']!r} v{document['v']} is not {FORMAT} v{VERSION}"
            )
        populations = [_unpack(part) for part in document["populations"]]
    except (zstandard.ZstdError, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise BadPopulation(f"population: not a population file ({error})") from error
    return {population.model: population for population in populations}


def _pack(population: Population) -> bytes:
    plain: dict[str, Any] = {name: getattr(population, name) for name in _PLAIN}
    for name in ("numbers", "ceilings", "strong"):
        plain[name] = dict(sorted(getattr(population, name).items()))
    plain["arrays"] = {name: _pack_array(array) for name, array in sorted(population.arrays.items())}
    return msgspec.msgpack.encode(plain)


def _unpack(data: bytes) -> Population:
    plain = msgspec.msgpack.decode(data)
    arrays = {name: _unpack_array(name, *parts) for name, parts in plain.pop("arrays").items()}
    plain["shape"] = tuple(plain["shape"])
    plain["notes"] = tuple(plain["notes"])
    return Population(arrays=arrays, **plain)


def _pack_array(array: Array) -> tuple[str, list[int], bytes]:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.dtype.str, list(little.shape), little.tobytes()


def _unpack_array(name: str, dtype: str, shape: list[int], data: bytes) -> Array:
    if dtype not in _DTYPES:
        raise BadPopulation(f"population: array {name!r} has dtype {dtype!r}, which is not accepted")
    return np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape)


_PLAIN = ("model", "shape", "clients", "known", "queries", "oldest", "since", "until", "gated", "notes")
