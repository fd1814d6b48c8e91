"""HODA-like: which queries are hard for the model says what kind of inputs they are.

A query's hardness is the first state of the model's training that already gave the final answer and never another one
later. The histogram of a client's window is compared with the population's, by Pearson distance. The paper has eleven
states of the training, our victims have four; otherwise as published.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from benchmarks.arena.data import Floats, Labels
from benchmarks.arena.peers.peer import Checks, Counts, Fitted, Numbers, Peer, sample, windows
from benchmarks.arena.stream import Stream, World
from benchmarks.arena.victim import Victim

SEQUENCES: Final = 40_000  # random windows of ordinary queries, whose farthest is the paper's threshold
SOURCE: Final = "Sadeghzadeh et al., HODA, 2021, arXiv 2106.11424"


def _prepared(length: int) -> Callable[[World, Sequence[Stream]], Fitted]:
    def prepare(world: World, past: Sequence[Stream]) -> Fitted:
        """Return HODA with the population's histogram and the paper's threshold."""
        inputs = sample(world, past)
        level = hardness(world.victim, inputs, world.victim.ask(inputs).argmax(1))
        ordinary = histogram(level, len(world.victim.earlier) + 1) / len(level)
        drawn = world.random("peers", "hoda", length).multinomial(length, ordinary, SEQUENCES)
        threshold = float(distance(drawn.astype(np.float64), ordinary).max())
        return Fitted({f"HODA {length}": threshold}, partial(_scores, world.victim, ordinary, length))

    return prepare


AFTER_50: Final = Peer("HODA 50", SOURCE, _prepared(50))
AFTER_100: Final = Peer("HODA 100", SOURCE, _prepared(100))


def _scores(victim: Victim, ordinary: Numbers, length: int, stream: Stream) -> Checks:
    """Return the distance of each full window's histogram from the population's."""
    ends = windows(len(stream), length)
    if not len(ends):
        return Checks(ends, np.empty(0))
    asked = stream.first(int(ends[-1]))
    level = hardness(victim, asked.inputs, asked.label)
    found = np.stack([histogram(level[end - length : end], len(ordinary)) for end in ends])
    return Checks(ends, distance(found, ordinary))


def hardness(victim: Victim, inputs: Floats, label: Labels) -> Counts:
    """Return i8[n]: the first state of the training from which on the answer was the final one, label i8[n]."""
    agrees = victim.early(inputs).argmax(2) == label
    return np.asarray(len(agrees) - np.logical_and.accumulate(agrees[::-1]).sum(0), np.int64)


def histogram(level: Counts, levels: int) -> Numbers:
    """Return f8[levels]: how many queries have each hardness."""
    return np.bincount(level, minlength=levels).astype(np.float64)


def distance(found: Numbers, ordinary: Numbers) -> Numbers:
    """Return f8[n], one minus Pearson's correlation of f8[n, levels] with f8[levels]; a flat histogram has none: 1."""
    left, right = found - found.mean(1, keepdims=True), ordinary - ordinary.mean()
    length = np.sqrt((left**2).sum(1) * (right**2).sum())
    together = np.zeros(len(found))
    np.divide((left * right).sum(1), length, out=together, where=length > 0)
    return 1 - together
