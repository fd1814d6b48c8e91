"""Streams: what one client asked and what the model answered, in order."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.arena.data import Data, Floats, Labels
from benchmarks.arena.victim import Victim
from detector.query import Queries

SECOND: Final = 1_000_000  # µs
START: Final = 1_760_000_000 * SECOND


@dataclass(frozen=True, slots=True)
class World:
    """One data set and one seed: the data and the victim."""

    data: Data
    victim: Victim
    seed: int

    def random(self, *words: object) -> np.random.Generator:
        """Return a generator that only the seed and the words decide: nobody shares another's chance."""
        digest = hashlib.blake2b(repr((self.seed, *words)).encode(), digest_size=16).digest()
        return np.random.default_rng(int.from_bytes(digest, "little"))


@dataclass(frozen=True, slots=True)
class Stream:
    """One client's queries: inputs f4[n, D], the true probabilities f4[n, K]."""

    client: str
    kind: str  # of honest client or attack
    inputs: Floats
    probabilities: Floats
    labels_only: bool = False  # the records hold no probabilities
    gap: int = SECOND  # µs between queries
    theft: npt.NDArray[np.bool_] | None = None  # [n] which queries are the attack's; None: all or none

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def label(self) -> Labels:
        """Answered labels i8[n]."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    def first(self, count: int) -> "Stream":
        """Return the stream's first queries."""
        theft = None if self.theft is None else self.theft[:count]
        return replace(self, inputs=self.inputs[:count], probabilities=self.probabilities[:count], theft=theft)


def margins(probabilities: Floats) -> Floats:
    """Return top-1 minus top-2 probability f4[n]."""
    ranked = np.sort(probabilities, axis=1)
    return np.asarray(ranked[:, -1] - ranked[:, -2], np.float32)


def queries(streams: Sequence[Stream], model: str) -> Queries:
    """Return streams as the detector reads them, one client after the other."""
    lengths = np.array([len(stream) for stream in streams])
    client = np.repeat(np.arange(len(streams), dtype=np.int32), lengths)
    place = np.arange(len(client), dtype=np.int64)
    begins = np.repeat(np.cumsum(lengths) - lengths, lengths)
    gap = np.repeat(np.array([stream.gap for stream in streams], np.int64), lengths)
    margin = np.concatenate([_told(stream) for stream in streams])
    identity = np.stack([client.astype(np.uint64) + np.uint64(1), place.astype(np.uint64)], axis=1)
    return Queries(
        model=model,
        clients=tuple(stream.client for stream in streams),
        tenants=(None,) * len(streams),
        client=client,
        time=START + (place - begins) * gap,
        id=identity,
        scored=np.ones(len(client), np.bool_),
        has_input=np.ones(len(client), np.bool_),
        input=np.concatenate([stream.inputs for stream in streams]),
        label=np.concatenate([stream.label for stream in streams]),
        margin_low=margin,
        margin_high=margin,
        place=place,
        row=np.zeros(len(client), np.int32),
    )


def _told(stream: Stream) -> Floats:
    return np.full(len(stream), np.nan, np.float32) if stream.labels_only else margins(stream.probabilities)
