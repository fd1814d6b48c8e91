"""Once: what is made of a population, held beside it for all partitions of a process."""

from collections.abc import Callable
from functools import wraps
from typing import Final, TypeVar

from detector.population import Population

Made = TypeVar("Made")
HELD: Final = 16  # populations in use by one process


def once(make: Callable[[Population], Made]) -> Callable[[Population], Made]:
    """Return `make`, which then works once for each population; whatever it made must not be changed."""
    held: dict[int, tuple[Population, Made]] = {}  # by identity: the population beside it, so that no other takes it

    @wraps(make)
    def found(population: Population) -> Made:
        if id(population) not in held:
            if len(held) == HELD:
                held.clear()
            held[id(population)] = (population, make(population))
        return held[id(population)][1]

    return found
