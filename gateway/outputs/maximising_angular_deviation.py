"""Answers that lead a thief's training astray, within a budget."""

import functools
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.outputs.noise import field
from gateway.outputs.rows import Asked, Doubles, Labels, Step, pairs
from gateway.tensors import Floats

SIZES_MAX = 8  # classes that share an extreme
AHEAD = 1e-3  # by so much the top class leads in an extreme
TINY = 1e-12


class MaximisingAngularDeviation(Step, frozen=True):
    """The answer within `epsilon` (L1) that turns a surrogate's gradient most, with the same top class.

    MAD-argmax of the paper, for the gradient of a surrogate's last layer (the layer that the authors' code takes). With
    features h and belief q that gradient is (q - y) h' for an answer y: the angle between two answers' gradients is the
    angle between q - y and q - y', whatever h is, so no surrogate need be run. Its belief is not known; it is drawn
    from the key and the answer (`gateway.outputs.noise`), as that of an untrained one. As in the paper the answer moves
    towards an extreme that shares everything among a set of classes with the top one. The sets tried are nested, up to
    8 classes in the order of y - q: the best set of its size where beliefs are even, instead of all 2^(K-1).

    It is no optimum against the belief of the surrogate in training, and none against deeper layers' gradients. Who
    takes the top class only is not led astray. The row's sum stays.
    Source: Orekondy, Schiele, Fritz 2020, "Prediction poisoning: towards defenses against DNN model stealing attacks".
    """

    keyed: ClassVar[bool] = True
    epsilon: Annotated[float, msgspec.Meta(gt=0, le=2)] = 1.0  # L1, of rows that sum to 1

    def apply(self, asked: Asked) -> Floats:
        """Return float32 [n, K]."""
        rows, classes = pairs(asked.probabilities), asked.probabilities.shape[1]
        sums = rows.sum(axis=1, keepdims=True)
        answers = rows / np.where(sums > 0, sums, 1)
        belief = np.exp(field(asked))
        belief /= belief.sum(axis=1, keepdims=True)
        turned: Doubles = _turned(answers, belief, self.epsilon) * sums
        return turned.clip(0, 1)[:, -classes:].astype(np.float32)


def _turned(answers: Doubles, belief: Doubles, epsilon: float) -> Doubles:
    """Return, for answers [n, K], the points within `epsilon` that see the answer at the widest angle from `belief`.

    With a = y - q and v an extreme, the point is y + t (v - y); all that its angle needs is told by the few classes
    that share in v, so the cost grows with K as a sum does.
    """
    a, each = answers - belief, np.arange(len(answers))[:, None]
    chosen = _lowest(a, answers.argmax(axis=1))
    parts, shared = _parts(chosen.shape[1]), answers[each, chosen]
    lengths = np.abs(parts - shared[:, None]).sum(axis=2) + 1 - shared.sum(axis=1, keepdims=True)  # of v - y, L1
    t = np.minimum(1, epsilon / np.maximum(lengths, TINY))
    along = np.matvec(parts, a[each, chosen]) - _dot(answers, a)  # a (v - y)
    square = _dot(parts, parts).T - 2 * np.matvec(parts, shared) + _dot(answers, answers)  # of v - y
    own = _dot(a, a)
    cosines = (own + t * along) / np.sqrt(np.maximum(own + 2 * t * along + t**2 * square, TINY))  # times |a|
    best = cosines.argmin(axis=1)[:, None]
    ways = -answers
    ways[each, chosen] += parts[best[:, 0]]
    turned: Doubles = answers + t[each, best] * ways
    return turned


def _lowest(a: Doubles, top: Labels) -> npt.NDArray[np.intp]:
    """Return [n, sizes]: the top class, and then the classes where a [n, K] is lowest, the lowest first."""
    order, each = a.copy(), np.arange(len(a))[:, None]
    order[each[:, 0], top] = -np.inf
    sizes = min(a.shape[1], SIZES_MAX)
    some = order.argpartition(sizes - 1, axis=1)[:, :sizes]
    chosen: npt.NDArray[np.intp] = some[each, order[each, some].argsort(axis=1)]
    return chosen


@functools.cache
def _parts(sizes: int) -> Doubles:
    """Return [sizes, sizes]: what the first 1, 2, … classes of a set get, each as much, the first a little more."""
    shares = np.tri(sizes)
    shares[:, 0] += AHEAD
    parts: Doubles = shares / shares.sum(axis=1, keepdims=True)
    return parts


def _dot(ones: Doubles, others: Doubles) -> Doubles:
    product: Doubles = (ones * others).sum(axis=1, keepdims=True)
    return product
