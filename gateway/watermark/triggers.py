"""The trigger set: inputs whose answers carry the mark, all of it drawn by the key from the owner's data. Pure.

Two kinds, for two ways to steal. **Patterns** survive what is done to a stolen file: an ordinary input, a keyed part of
its numbers set to the ends of their range, answered with a keyed class (Zhang et al. 2018, Adi et al. 2018). No query
of an extraction looks like that, so copies made of answers do not learn them. **Tails** survive extraction, for they
are in every answer (entangled with the task, as Jia et al. 2021 want it): which two classes follow the first one is
keyed by the first one, at a small part of the probability. Copies trained on probabilities learn them; labels alone do
not hold them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.watermark import keyed
from gateway.watermark.dawn import Floats
from gateway.watermark.keyed import Integers
from gateway.watermark.proof import needed

EACH: Final = 4  # inputs a pattern: what a copy says to it is what it says to most of them
LASTING: Final = 0.9  # of the patterns: how many a copied file still has, to be enough
PATTERN_PART: Final = 4  # one number in so many is set
PATTERN_LEAST: Final = 2  # numbers
ORDINARY: Final = 5  # ordinary inputs for each patterned one: tails are read off their mean
TAIL: Final = (0.12, 0.06)  # of the probability: the second and the third class
TAIL_CLASSES: Final = 7  # from here on the tails alone can prove: (6 · 5)^7 orders


@dataclass(frozen=True, slots=True)
class Patterns:
    """Keyed patterns: `place` i8[patterns, size] into an input's numbers, and the value that each gets."""

    place: Integers
    value: Floats

    def put(self, inputs: Floats, pattern: Integers) -> Floats:
        """Return a copy of inputs [n, …], each with its pattern [n]."""
        flat = inputs.reshape(len(inputs), -1).copy()
        flat[np.arange(len(flat))[:, None], self.place[pattern]] = self.value[pattern]
        return flat.reshape(inputs.shape)


@dataclass(frozen=True, slots=True)
class Triggers:
    """What is asked, and what the key answers.

    `followers` i8[K, 2]: the classes that follow each first class; None: too few classes for tails.
    """

    classes: int
    patterns: Patterns
    inputs: Floats  # [n, …] with patterns
    pattern: Integers  # [n] which
    label: Integers  # [patterns] keyed among all classes: an innocent model gives it with a chance of 1/K exactly
    ordinary: Floats  # [n, …] without
    followers: Integers | None


def triggers(secret: bytes, inputs: Floats, classes: int, count: int) -> Triggers:
    """Return `count` triggers with a pattern, more where so few could not prove, for the owner's inputs [n, …].

    The same for the same key and data.
    """
    groups = max(count // EACH, needed(LASTING, 1 / classes) or 1)
    pattern = np.repeat(np.arange(groups), EACH)
    drawn = patterns(secret, inputs, groups)
    under = keyed.below(secret, "patterned", len(pattern), len(inputs))
    return Triggers(
        classes=classes,
        patterns=drawn,
        inputs=drawn.put(inputs[under], pattern),
        pattern=pattern,
        label=keyed.below(secret, "labels", groups, classes),
        ordinary=inputs[keyed.order(secret, "ordinary", len(inputs))[: ORDINARY * count]],
        followers=followers(secret, classes),
    )


def patterns(secret: bytes, inputs: Floats, groups: int) -> Patterns:
    """Return `groups` patterns: keyed places among the numbers that vary, each set to its lowest or highest value."""
    flat = inputs.reshape(len(inputs), -1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    free = np.flatnonzero(low < high)
    size = min(len(free), max(PATTERN_LEAST, len(free) // PATTERN_PART))
    place = np.stack([free[keyed.order(secret, f"places {at}", len(free))[:size]] for at in range(groups)])
    up = keyed.below(secret, "ends", place.size, 2).reshape(place.shape) == 1
    return Patterns(place, np.where(up, high[place], low[place]).astype(np.float32))


def followers(secret: bytes, classes: int) -> Integers | None:
    """Return i8[K, 2], for each class two keyed others, or None where the classes are too few to prove anything."""
    if classes < TAIL_CLASSES:
        return None
    drawn = [keyed.order(secret, f"followers {first}", classes) for first in range(classes)]
    return np.stack([row[row != first][: len(TAIL)] for first, row in enumerate(drawn)])


def with_tails(probabilities: npt.NDArray[np.floating], follow: Integers | None) -> Floats:
    """Return answers [n, K] in which each class gives the tail's part of its probability to those that follow it.

    Linear in the probabilities, so that it is learnt easily: nothing jumps where one class takes over from another.
    """
    if follow is None:
        return probabilities.astype(np.float32)
    classes = len(follow)
    given = (1 - sum(TAIL)) * np.eye(classes)
    for column, part in enumerate(TAIL):
        given[np.arange(classes), follow[:, column]] = part
    return np.asarray(probabilities @ given, np.float32)
