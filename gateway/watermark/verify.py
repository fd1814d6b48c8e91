"""Verify: ask a suspect about the marks, and count what it repeats. Asks through a function; does no IO itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from gateway.outputs import labels
from gateway.watermark.dawn import CLASSES_MIN, SHARE_MAX, Floats, Marking, cells, draws
from gateway.watermark.keyed import Integers
from gateway.watermark.proof import Count
from gateway.watermark.triggers import Triggers

Ask = Callable[[Floats], Floats]
"""From inputs float32 [n, …] to answers [n, K]: probabilities, labels as one-hot rows, or a binary score [n, 1]."""
_LEAST_LOG = 1e-9  # a probability of zero, so that it has a logarithm


@dataclass(frozen=True, slots=True)
class Marked:
    """A client's marked answers to one model: inputs f4[n, …], the model's own labels and those served, i8[n]."""

    client: str
    model: str
    classes: int
    inputs: Floats
    true: Integers
    served: Integers

    def __len__(self) -> int:
        return len(self.true)


def trigger_set(ask: Ask, found: Triggers) -> list[Count]:
    """Return what the suspect repeats of a trigger set: patterns, and tails where it tells probabilities."""
    counts = [_patterns(ask(found.inputs), found)]
    if found.followers is not None:
        said = ask(found.ordinary)
        if said.shape[1] == found.classes and (np.count_nonzero(said, axis=1) > 1).any():
            counts.append(_tails(said, found.followers))
    return counts


def answers(ask: Ask, held: Marked, secret: bytes) -> Count:
    """Return what the suspect repeats of a client's marked answers.

    Inputs of one neighbourhood have one keyed draw, so they are one mark. It counts where the suspect contradicts the
    model: then it names one of K-1 classes, and the keyed one with a chance of 1/(K-1) if it is innocent.
    """
    rows, cell = genuine(held, secret)
    classes = held.classes
    said = labels(ask(held.inputs[rows])) if len(rows) else np.zeros(0, np.int64)
    moved, drawn = (said - held.true[rows]) % classes, (held.served[rows] - held.true[rows]) % classes
    moved = np.where(said < classes, moved, 0)  # a class that the model has not contradicts nothing
    order = np.argsort(cell, kind="stable")
    marks = [list(group) for _, group in groupby(order, key=cell.__getitem__)]
    step = np.array([_most(moved[group], classes) for group in marks], np.int64)
    matches = [step[at] == drawn[group[0]] for at, group in enumerate(marks)]
    return Count(
        f"answers of {held.model}", int((step != 0).sum()), int(sum(matches)), 1 / (max(classes, CLASSES_MIN) - 1)
    )


def genuine(held: Marked, secret: bytes) -> tuple[Integers, npt.NDArray[np.object_]]:
    """Return the rows that this secret marked, and the neighbourhood of each.

    What `detect` keeps is any answer whose class was changed; where an output step may change it too, the draw tells.
    """
    found = cells(held.inputs, secret)
    chance, step = draws(found, Marking(secret, held.client, held.model, SHARE_MAX), max(held.classes, CLASSES_MIN))
    ours = (chance < SHARE_MAX) & ((held.true + step) % held.classes == held.served)
    return np.flatnonzero(ours), np.array(found, object)[ours]


def _patterns(said: Floats, found: Triggers) -> Count:
    given = labels(said)
    matches = [
        _most(given[found.pattern == at], found.classes) == label for at, label in enumerate(found.label.tolist())
    ]
    return Count("patterns", len(matches), sum(matches), 1 / found.classes)


def _tails(said: Floats, followers: Integers) -> Count:
    """Count, for each class that the suspect names first, whether the keyed two follow it, each apart.

    The second is looked for among K-2 classes, so its chance is 1/(K-2); the first's is smaller.
    """
    first, marks, matches = labels(said), 0, 0
    for top in np.unique(first).tolist():
        typical = _typical(said[first == top], top)
        for keyed in followers[top].tolist():
            matches += int(typical.argmax()) == keyed
            typical[keyed] = -np.inf
            marks += 1
    return Count("tails", marks, matches, 1 / (said.shape[1] - 2))


def _typical(said: Floats, top: int) -> npt.NDArray[np.float64]:
    """Return the mean logarithm of the probabilities in the surer half of answers with one first class, without it."""
    sure = said[np.argsort(-said[:, top], kind="stable")[: (len(said) + 1) // 2]]
    typical: npt.NDArray[np.float64] = np.log(sure.astype(np.float64) + _LEAST_LOG).mean(axis=0)
    typical[top] = -np.inf
    return typical


def _most(given: Integers | Sequence[int], classes: int) -> int:
    return int(np.bincount(given, minlength=classes).argmax())
