"""Once: what is made of a population, or of an array of it, is held for as long as that lives, for all partitions."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import finalize

Source = TypeVar("Source")
Made = TypeVar("Made")


def once(make: Callable[[Source], Made]) -> Callable[[Source], Made]:
    """Return `make`, which then works once for each source; what it made is not to be changed, nor to hold the source.

    Sources are told apart by identity: they are large, and few.
    """
    held: dict[int, Made] = {}

    @wraps(make)
    def found(source: Source) -> Made:
        if id(source) not in held:
            held[id(source)] = make(source)
            finalize(source, held.pop, id(source))
        return held[id(source)]

    return found
