"""Oracle: the victim as a thief meets it. Every question is counted and kept; the budget ends the attack."""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.arena.data import Floats, Labels, Numbers, Random
from benchmarks.arena.stream import World


class Exhausted(Exception):  # noqa: N818  # named for what happened
    """The thief has asked as often as it may."""


@dataclass(slots=True)
class Oracle:
    """Inputs are scaled: each number 0..1 over what it can be. `labels_only`: answers are one-hot."""

    world: World
    budget: int
    labels_only: bool = False
    asked: list[Floats] = field(default_factory=list)  # raw inputs
    answered: list[Floats] = field(default_factory=list)  # true probabilities
    count: int = 0

    def __call__(self, inputs: Numbers) -> Floats:
        """Return the answers f4[n, K] to scaled inputs f4[n, D]. Raises Exhausted when the budget is spent."""
        data = self.world.data
        room = inputs[: self.budget - self.count]
        scaled = np.clip(room, 0, 1).astype(np.float32) if data.image else room.astype(np.float32)
        raw = (data.low + scaled * (data.high - data.low)).astype(np.float32)
        if len(raw):
            self.asked.append(raw)
            self.answered.append(self.world.victim.ask(raw))
            self.count += len(raw)
        if self.count >= self.budget:
            raise Exhausted
        return self._told(self.answered[-1])

    def labels(self, inputs: Numbers) -> Labels:
        """Return the answered labels i8[n]."""
        return np.asarray(self(inputs).argmax(1), np.int64)

    def _told(self, probabilities: Floats) -> Floats:
        if not self.labels_only:
            return probabilities
        certain: Floats = np.eye(probabilities.shape[1], dtype=np.float32)
        return np.asarray(certain[probabilities.argmax(1)])


@dataclass(frozen=True, slots=True)
class Loot:
    """What a thief owns before it asks, scaled: seeds of the model's domain, and inputs from elsewhere."""

    seeds: Floats  # [n, D]
    foreign: Floats  # [n, D]
    shape: tuple[int, ...]
    image: bool
    spread: Floats  # [D] standard deviation of the seeds' columns: what a table thief takes as unit of a step
    free: Floats  # [D] True where a step makes sense: all pixels, a table's columns with more than two values


def loot(world: World, rng: Random, count: int = 1_000_000) -> Loot:
    """Return up to `count` seeds, drawn for one thief, and the foreign pool."""
    data = world.data
    span = np.maximum(data.high - data.low, np.float32(1e-9))
    rows = rng.permutation(len(data.seeds))[:count]
    seeds = (data.seeds.inputs[rows] - data.low) / span
    foreign = (data.foreign[rng.permutation(len(data.foreign))] - data.low) / span
    whole = (data.seeds.inputs - data.low) / span
    free = np.array([len(np.unique(column)) > 2 for column in whole[:500].T])  # noqa: PLR2004  # a flag has two
    spread = np.ones(len(span), np.float32) if data.image else whole.std(0).astype(np.float32)
    return Loot(seeds, foreign, data.shape, data.image, spread, free.astype(np.float32))
