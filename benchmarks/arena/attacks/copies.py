"""Copies: the models that thieves train on the answers."""

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.arena.data import Floats, Labels

_HIDDEN: Final = 64
_PASSES: Final = 40


@dataclass(frozen=True, slots=True)
class Copy:
    """A perceptron with one hidden layer; inputs are centred and scaled first."""

    net: Any  # None where only one label was ever answered
    mean: Floats
    sd: Floats
    labels: Labels

    @property
    def classes(self) -> int:
        """How many labels it knows."""
        return len(self.labels)

    def names(self, inputs: Floats) -> Labels:
        """Return the labels i8[n] that the copy gives to f4[n, D]."""
        if self.net is None:
            return np.full(len(inputs), self.labels[0], np.int64)
        return np.asarray(self.net.predict((inputs - self.mean) / self.sd), np.int64)

    def answers(self, inputs: Floats, classes: int) -> Floats:
        """Return probabilities f4[n, classes] for f4[n, D]."""
        told = np.zeros((len(inputs), classes), np.float32)
        told[:, self.labels] = 1 if self.net is None else self.net.predict_proba((inputs - self.mean) / self.sd)
        return told

    def doubt(self, inputs: Floats) -> Floats:
        """Return how unsure the copy is of each input, f4[n]: one less the largest probability."""
        if self.net is None:
            return np.zeros(len(inputs), np.float32)
        return np.asarray(1 - self.net.predict_proba((inputs - self.mean) / self.sd).max(1), np.float32)

    def sign(self, inputs: Floats, target: Labels | None = None) -> Floats:
        """Return the sign f4[n, D] of the gradient of each input's own class's output, or of the class at `target`."""
        if self.net is None:
            return np.zeros_like(inputs)
        scaled = (inputs - self.mean) / self.sd
        hidden = scaled @ self.net.coefs_[0] + self.net.intercepts_[0]
        place = np.searchsorted(self.labels, self.net.predict(scaled)) if target is None else target
        outward = self.net.coefs_[1][:, place % self.net.coefs_[1].shape[1]].T
        if self.net.coefs_[1].shape[1] == 1:  # two classes share one output
            outward = outward * np.where(place == 0, -1, 1)[:, None]
        return np.asarray(np.sign(((hidden > 0) * outward) @ self.net.coefs_[0].T), np.float32)


def fitted(inputs: Floats, labels: Labels, state: int = 0) -> Copy:
    """Return a copy trained on the answers."""
    mean, sd = inputs.mean(0), inputs.std(0) + np.float32(1e-3)
    known = np.unique(labels)
    if len(known) == 1:
        return Copy(None, mean, sd, known)
    net = MLPClassifier((_HIDDEN,), batch_size=min(32, len(labels)), max_iter=_PASSES, random_state=state % (1 << 31))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bounded training is what is wanted
        net.fit((inputs - mean) / sd, labels)
    return Copy(net, mean, sd, np.asarray(known, np.int64))
