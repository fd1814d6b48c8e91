"""A made-up model of ten classes and its clients: honest ones, and one thief in ten, for benchmarks of speed.

Inputs are images where their size is a square or three times one, else rows of a table.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detector.geometry import SIDE_MIN
from detector.learning import learn
from detector.population import Population
from detector.query import Queries, Shape

CLASSES: Final = 10
MODEL: Final = "profile"
START: Final = 1_750_000_000_000_000  # µs
PAST: Final = (120, 100)  # clients that teach, and queries of each
STEP: Final = 0.1  # of a thief, of inputs in 0..1

Floats = npt.NDArray[np.float32]
Random = np.random.Generator


class World:
    """A made-up model of ten classes, and inputs around one prototype for each."""

    def __init__(self, random: Random, numbers: int) -> None:
        self.shape = shape_of(numbers)
        self._random = random
        smooth = random.normal(size=(CLASSES, numbers)).cumsum(axis=1)
        low, high = smooth.min(axis=1, keepdims=True), smooth.max(axis=1, keepdims=True)
        self._prototypes = ((smooth - low) / (high - low)).astype(np.float32)

    def asked(self, name: str, clients: int, queries: int, *, thieves: bool = True) -> Queries:
        """Return clients' queries, interleaved at random; every tenth client is a thief."""
        client = self._random.integers(0, clients, queries).astype(np.int32)
        inputs = self.inputs(client, thieves=thieves)
        label, margin = _best(self.probabilities(inputs))
        return Queries(
            model=MODEL,
            clients=tuple(f"{name} {number}" for number in range(clients)),
            tenants=(None,) * clients,
            client=client,
            time=START + 1_000 * np.arange(queries, dtype=np.int64),
            id=self._random.integers(0, 1 << 62, (queries, 2)).astype(np.uint64),
            scored=np.ones(queries, np.bool_),
            has_input=np.ones(queries, np.bool_),
            input=inputs,
            label=label,
            margin_low=margin,
            margin_high=margin,
            place=np.arange(queries, dtype=np.int64),
            row=np.zeros(queries, np.int32),
        )

    def inputs(self, client: npt.NDArray[np.int32], *, thieves: bool = True) -> Floats:
        """Return what these clients ask, f4[n, N]; every tenth client is a thief."""
        inputs = np.empty((len(client), math.prod(self.shape)), np.float32)
        order = np.argsort(client, kind="stable")
        numbers, starts = np.unique(client[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            steals = thieves and number % 10 == 0
            make = THIEVES[number // 10 % len(THIEVES)] if steals else HONEST[number % len(HONEST)]
            inputs[rows] = make(self, self._random, len(rows))
        return inputs

    def usual(self, count: int) -> Floats:
        """Return inputs of all classes, each brighter or darker, and noisy."""
        prototypes = self._prototypes[self._random.integers(0, CLASSES, count)]
        seen = prototypes * self._random.uniform(0.7, 1.1, (count, 1)) + self._random.normal(0, 0.15, prototypes.shape)
        return np.asarray(seen.clip(0, 1), np.float32)

    def probabilities(self, inputs: Floats) -> Floats:
        """Return the model's answers f4[n, CLASSES]: a softmax of the nearness to each prototype."""
        apart = np.square(self._prototypes).sum(1) - 2 * inputs @ self._prototypes.T
        odds = np.exp(-(apart - apart.min(axis=1, keepdims=True)) * 100 / inputs.shape[1])
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)


def zipf(random: Random, clients: int, queries: int, exponent: float = 1.2) -> npt.NDArray[np.int32]:
    """Return who asks, i4[queries]: client k with a share in proportion to 1 / (k+1)^exponent."""
    shares = np.arange(1, clients + 1) ** -exponent
    return (
        np.searchsorted(np.cumsum(shares / shares.sum()), random.random(queries)).clip(0, clients - 1).astype(np.int32)
    )


def _best(probabilities: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return labels and margins."""
    ranked = np.sort(probabilities, axis=1)
    return probabilities.argmax(axis=1).astype(np.int64), ranked[:, -1] - ranked[:, -2]


def taught(world: World) -> Population:
    """Return what the world's honest clients look like together."""
    clients, each = PAST
    return learn([world.asked("past", clients, clients * each, thieves=False)], world.shape)


def shape_of(numbers: int) -> Shape:
    """Return the shape of a square image, grey or in colours, where there is one of so many numbers."""
    for channels in (1, 3):
        side = math.isqrt(numbers // channels)
        if side >= SIDE_MIN and side * side * channels == numbers:
            return (side, side) if channels == 1 else (side, side, channels)
    return (numbers,)


def _usual(world: World, _: Random, count: int) -> Floats:
    return world.usual(count)


def _bursts(world: World, _: Random, count: int) -> Floats:
    return world.usual(-(-count // 5)).repeat(5, axis=0)[:count]


def _noise(world: World, random: Random, count: int) -> Floats:
    return random.random((count, math.prod(world.shape)), np.float32)


def _steps(world: World, random: Random, count: int) -> Floats:
    """Step from 20 seeds in random signs (T-RND, Juuti et al. 2019)."""
    seeds = world.usual(20)[random.integers(0, 20, count)]
    return np.asarray(seeds + STEP * random.choice([-1, 1], seeds.shape), np.float32)


def _line(world: World, _: Random, count: int) -> Floats:
    """Ask halfway between the two queries before in every third query, as a line search does."""
    asked = world.usual(count)
    asked[2::3] = (asked[:-2:3] + asked[1:-1:3]) / np.float32(2)
    return asked


HONEST: Final = (_usual, _usual, _usual, _bursts)
THIEVES: Final = (_noise, _steps, _line)
