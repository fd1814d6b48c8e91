"""Freezing: thresholds are fixed before the first client who is judged exists.

Learning is given a world in which the judged part, the thieves' seeds and pool and the test part are empty: it cannot
peek. The whole world is handed out once populations are frozen; after that none can be learnt.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.arena import honest, trial
from benchmarks.arena.data import Data, Pool
from benchmarks.arena.honest import Crowd
from benchmarks.arena.peers import PEERS
from benchmarks.arena.peers.peer import Fitted, calibrated
from benchmarks.arena.stream import World
from detector.population import Population


class Peeking(RuntimeError):  # noqa: N818  # named for what was tried
    """Something was asked for in the wrong order."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the population has seen, and who is judged under it."""

    name: str
    past: Crowd  # whom the population is learnt from
    judged: tuple[str, ...]  # honest kinds that are judged
    thieves: bool = True  # are judged too
    peers: bool = False  # published detectors judge too


@dataclass(frozen=True, slots=True)
class Frozen:
    """A setting's population, as it was when it was frozen."""

    setting: Setting
    population: Population
    version: str
    seconds: float  # of learning
    peers: Sequence[Fitted]  # published detectors that learnt from the same clients


class Study:
    """One world, in two acts: `freeze` each setting's population, then `opened`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._frozen: list[Frozen] = []
        self._open = False

    def freeze(self, setting: Setting) -> Frozen:
        """Learn the setting's population. Raises Peeking once the world is open."""
        if self._open:
            raise Peeking(f"{setting.name!r} cannot be learnt: clients who are judged have been seen")
        blind = blindfolded(self._world)
        past = honest.streams(blind, setting.past)
        started = time.perf_counter()
        population = trial.learnt(blind, past)
        seconds = time.perf_counter() - started
        fitted = [calibrated(peer, blind, past) for peer in PEERS.values()] if setting.peers else []
        self._frozen.append(Frozen(setting, population, population.version, seconds, fitted))
        return self._frozen[-1]

    def opened(self) -> World:
        """Return the whole world. Raises Peeking before anything is frozen, or if what was frozen has changed."""
        if not self._frozen:
            raise Peeking("freeze a population first: clients who are judged are not to be seen before")
        changed = [held.setting.name for held in self._frozen if held.population.version != held.version]
        if changed:
            raise Peeking(f"populations changed after they were frozen: {', '.join(changed)}")
        self._open = True
        return self._world


def blindfolded(world: World) -> World:
    """Return the world without what judged clients and thieves draw from, and without the part that copies meet."""
    return replace(world, data=_sealed(world.data))


def _sealed(data: Data) -> Data:
    nothing = Pool(data.past.inputs[:0], data.past.label[:0])
    return replace(data, honest=nothing, seeds=nothing, test=nothing, foreign=data.foreign[:0])
