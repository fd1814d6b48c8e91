"""Verify: ask a suspect about the marks, and count what it repeats. Asks through a function; does no IO itself."""

from collections.abc import Callable
from dataclasses import dataclass

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
        if said.shape[1] == found.classes and tells_probabilities(said):
            counts.append(_tails(said, found.followers))
    return counts


def answers(ask: Ask, held: Marked, secret: bytes) -> Count:
    """Return what the suspect repeats of a client's marked answers.

    Looked at is which class it finds most likely apart from the model's own. Where it tells labels only, marks count at
    which it contradicts the model. Either way an innocent one names the keyed class of K-1 with a chance of 1/(K-1).
    Inputs of one neighbourhood have one keyed draw, so they are one mark.
    """
    rows, cell = genuine(held, secret)
    kind, rate = f"answers of {held.model}", 1 / (max(held.classes, CLASSES_MIN) - 1)
    if not len(rows):
        return Count(kind, 0, 0, rate)
    said, which = ask(held.inputs[rows]), np.unique(cell, return_inverse=True)[1]
    beside = np.zeros((which.max() + 1, held.classes))
    np.add.at(beside, which, _from_true(said, held.true[rows], held.classes))
    if tells_probabilities(said):
        beside[:, 0] = 0
    step, drawn = beside.argmax(axis=1), np.zeros(len(beside), np.int64)
    drawn[which] = (held.served[rows] - held.true[rows]) % held.classes
    return Count(kind, int((step != 0).sum()), int((step == drawn).sum()), rate)


def tells_probabilities(said: Floats) -> bool:
    """Tell whether answers [n, K] are more than labels as one-hot rows."""
    return bool((np.count_nonzero(said, axis=1) > 1).any())


def _from_true(said: Floats, true: Integers, classes: int) -> Floats:
    """Return answers [n, classes] whose columns begin at each row's true class; classes that are not told are 0."""
    full = np.zeros((len(said), classes), np.float32)
    full[:, : said.shape[1]] = said[:, :classes]
    return np.take_along_axis(full, (true[:, None] + np.arange(classes)) % classes, axis=1)


def genuine(held: Marked, secret: bytes) -> tuple[Integers, npt.NDArray[np.bytes_]]:
    """Return the rows that this secret marked, and the neighbourhood of each.

    What `detect` keeps is any answer whose class was changed; where an output step may change it too, the draw tells.
    """
    found = cells(held.inputs, secret)
    chance, step = draws(found, Marking(secret, held.client, held.model, SHARE_MAX), max(held.classes, CLASSES_MIN))
    ours = (chance < SHARE_MAX) & ((held.true + step) % held.classes == held.served)
    return np.flatnonzero(ours), np.array(found)[ours]


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


def _most(given: Integers, classes: int) -> int:
    return int(np.bincount(given, minlength=classes).argmax())
