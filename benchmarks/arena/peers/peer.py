"""Peer: what all published detectors have in common, so that one function judges them all.

A peer checks a client now and then; a check gives its statistic, the larger the more suspicious. The client is blocked
by the first check whose statistic exceeds the threshold: the paper's, or the largest that any client of the past ever
reached, which is as strict as so many clients can support.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.arena.data import Floats
from benchmarks.arena.stream import Stream, World
from benchmarks.arena.trial import Outcome

Numbers: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]

SAMPLE: Final = 4_000  # queries of the past that stand for all of them; HODA takes as many


@dataclass(frozen=True, slots=True)
class Checks:
    """A client's checks: after how many queries i8[checks], and the statistic f8[checks]."""

    queries: Counts
    score: Numbers

    def first(self, threshold: float) -> int | None:
        """Return after how many queries the threshold was first exceeded."""
        over = np.flatnonzero(self.score > threshold)
        return int(self.queries[over[0]]) if len(over) else None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A peer that has learnt one model's past: its thresholds by name, and how it checks a client."""

    thresholds: Mapping[str, float]
    scores: Callable[[Stream], Checks]


@dataclass(frozen=True, slots=True)
class Peer:
    """A published detector. `prepare` learns from honest clients only, and sets the paper's own thresholds."""

    name: str
    source: str
    prepare: Callable[[World, Sequence[Stream]], Fitted]


def calibrated(peer: Peer, world: World, past: Sequence[Stream]) -> Fitted:
    """Return the peer prepared, with the threshold `NAME calibrated` besides its paper's.

    Where no client of the past lived until a first check, nothing supports an alarm: the threshold is infinite.
    """
    fitted = peer.prepare(world, past)
    highest = [checks.score.max() for checks in map(fitted.scores, past) if len(checks.score)]
    threshold = float(max(highest, default=np.inf))
    return replace(fitted, thresholds={**fitted.thresholds, f"{peer.name} calibrated": threshold})


def judged(fitted: Fitted, streams: Sequence[Stream]) -> dict[str, list[Outcome]]:
    """Return, for each threshold's name, the outcome of each stream. Peers block or do not; they suspect nobody."""
    checks = [fitted.scores(stream) for stream in streams]
    return {
        name: [_outcome(stream, found.first(threshold)) for stream, found in zip(streams, checks, strict=True)]
        for name, threshold in fitted.thresholds.items()
    }


def _outcome(stream: Stream, blocked: int | None) -> Outcome:
    return Outcome(stream.client, stream.kind, len(stream), suspected=None, blocked=blocked)


def sample(world: World, past: Sequence[Stream], count: int = SAMPLE) -> Floats:
    """Return inputs f4[count, D] that stand for the past: each of a random client, whose life's length does not matter.

    Raises ValueError where the past holds no query.
    """
    asked = [stream for stream in past if len(stream)]
    if not asked:
        raise ValueError("the past holds no query: a peer needs honest clients to learn from")
    rng = world.random("peers", "sample", count)
    client = rng.integers(len(asked), size=count)
    place = rng.integers(np.array([len(stream) for stream in asked])[client])
    return np.stack([asked[who].inputs[at] for who, at in zip(client, place, strict=True)])


def windows(count: int, length: int) -> Counts:
    """Return after how many of a client's queries each full window ends; windows do not overlap."""
    return np.arange(length, count + 1, length, dtype=np.int64)
