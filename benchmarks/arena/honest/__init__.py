"""Honest kinds: what ordinary use of a model looks like. A kind is a function in one of these files and a line here.

A kind returns the inputs f4[count, D] of one client, drawn from the pool it is given: the past's clients get the part
`past`, those who are judged the part `honest`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from benchmarks.arena.data import Data, Floats, Pool, Random
from benchmarks.arena.honest import both, images, tables
from benchmarks.arena.honest.source import Source
from benchmarks.arena.stream import SECOND, Stream, World

Kind: TypeAlias = Callable[[Source, Random, int], Floats]

BOTH: Final[dict[str, Kind]] = {
    "iid": both.iid,
    "dirichlet .1": both.dirichlet_01,
    "dirichlet .3": both.dirichlet_03,
    "dirichlet 1": both.dirichlet_1,
    "narrow": both.narrow,
    "retry": both.retry,
    "canary": both.canary,
    "archive": both.archive,
    "cascade": both.cascade,
    "replay": both.replay,
    "low rate": both.iid,
    "labels only": both.iid,
}
IMAGES: Final[dict[str, Kind]] = {
    "burst": images.burst,
    "covariate shift": images.shifted,
    "drift": images.drift,
    "augmentation": images.augmented,
    "stress test": images.stress,
    "what-if": images.what_if,
    "new domain": images.new_domain,
    "camera": images.camera,
    "mixed": images.mixed,
    "quantised": images.quantised,
}
TABLES: Final[dict[str, Kind]] = {
    "burst": tables.burst,
    "covariate shift": tables.shifted,
    "drift": tables.drift,
    "augmentation": tables.augmented,
    "stress test": tables.stress,
    "what-if": tables.what_if,
    "new domain": tables.new_domain,
    "camera": tables.customers,
    "mixed": tables.mixed,
    "quantised": tables.quantised,
}
PLAIN: Final = ("iid", "dirichlet .3", "dirichlet 1", "narrow", "retry", "canary", "burst")
"""The seven plainest kinds: all that a poor population has seen."""
DAY: Final = 86_400 * SECOND
_GAPS: Final = {"low rate": DAY // 4}


def kinds(data: Data) -> dict[str, Kind]:
    """Return all honest kinds for a data set."""
    return BOTH | (IMAGES if data.image else TABLES)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Which clients: of these kinds, `each` of every kind, whose lives are drawn from `lives`."""

    part: str  # "past" or "honest"
    kinds: tuple[str, ...]
    each: int
    lives: tuple[int, int]  # queries, the shortest and the longest; most are short
    first: int = 0  # number of each kind's first client: other numbers are other clients


def streams(world: World, crowd: Crowd) -> list[Stream]:
    """Return the crowd's clients; each client's chance is its own: only part, kind and number decide it."""
    pool: Pool = getattr(world.data, crowd.part)
    source = Source.of(world.data, pool, world.victim.ask(pool.inputs))
    known = kinds(world.data)
    return [
        _stream(world, source, (crowd, kind, known[kind]), number)
        for kind in crowd.kinds
        for number in range(crowd.first, crowd.first + crowd.each)
    ]


def _stream(world: World, source: Source, what: tuple[Crowd, str, Kind], number: int) -> Stream:
    crowd, kind, make = what
    rng = world.random(crowd.part, kind, number)
    low, high = crowd.lives
    count = int(low * (high / low) ** (rng.random() ** 3))  # most lives are short, some long
    inputs = np.ascontiguousarray(make(source, rng, count)[:count], np.float32)
    return Stream(
        client=f"{crowd.part} {kind} {number}",
        kind=kind,
        inputs=inputs,
        probabilities=world.victim.ask(inputs),
        labels_only=kind == "labels only",
        gap=_GAPS.get(kind, SECOND),
    )
