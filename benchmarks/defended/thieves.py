"""Thieves: what they ask a defended model, and what it answers. Attacks are the arena's."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from benchmarks.arena.attacks import pools, synthetic
from benchmarks.arena.attacks.copies import fitted
from benchmarks.arena.attacks.oracle import Exhausted, Loot, Oracle, loot
from benchmarks.arena.data import Data, Floats, Random
from benchmarks.arena.stream import World
from benchmarks.arena.victim import Victim

Attack: TypeAlias = Callable[[Oracle, Loot, Random], None]
_FIRST: Final = 64  # inputs that an active thief asks before it has a copy
_GROWTH: Final = 0.5  # it asks so much more before it trains the next one


@dataclass(frozen=True, slots=True)
class Haul:
    """What a thief has: inputs f4[n, D] and the answers f4[n, K] that it was served."""

    inputs: Floats
    answers: Floats

    def first(self, count: int) -> "Haul":
        """Return the first `count` of it: what a thief with a smaller budget has."""
        return Haul(self.inputs[:count], self.answers[:count])


def active(oracle: Oracle, own: Loot, rng: Random) -> None:
    """Ask about the inputs of the domain of which a copy is least sure, each once (ActiveThief, Pal et al. 2020)."""
    left = rng.permutation(len(own.seeds))
    chosen, left = left[:_FIRST], left[_FIRST:]
    known, labels = own.seeds[chosen], oracle.labels(own.seeds[chosen])
    while len(left):
        doubt = fitted(known, labels).doubt(own.seeds[left])
        order = np.argsort(-doubt, kind="stable")
        more = int(_GROWTH * len(known))
        chosen, left = left[order[:more]], left[order[more:]]
        known, labels = np.concatenate([known, own.seeds[chosen]]), np.r_[labels, oracle.labels(own.seeds[chosen])]


ATTACKS: Final[dict[str, Attack]] = {"knockoff": pools.knockoff, "jbda": synthetic.jbda, "active": active}


def reach(name: str, data: Data) -> int:
    """Return how many different inputs the attack can ask about; JbDA makes as many as it likes."""
    return {"knockoff": len(data.foreign), "active": len(data.seeds)}.get(name, 1_000_000)


def stolen(world: World, name: str, budget: int) -> Haul:
    """Return what an attack takes from the world's victim with `budget` queries."""
    rng = world.random("thief", name)
    oracle = Oracle(world, budget)
    with suppress(Exhausted):
        ATTACKS[name](oracle, loot(world, rng), rng)
    return Haul(np.concatenate(oracle.asked), np.concatenate(oracle.answered))


def stolen_from(defended: Victim, world: World, name: str, plain: Haul) -> Haul:
    """Return what the attack that took `plain` from the undefended victim takes from a defended one.

    Attacks look at labels to choose questions: where the labels are the same, so is what is asked.
    """
    answers = defended.ask(plain.inputs)
    if np.array_equal(answers.argmax(1), plain.answers.argmax(1)):
        return Haul(plain.inputs, answers)
    return stolen(replace(world, victim=defended), name, len(plain.inputs))
