"""A thief's copy of the model: a small perceptron, trained on what the thief was answered."""

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from gamekeeper.demo.data import Images, Labels

_HIDDEN = 64
_STEPS = 60  # passes over the answers: a second for 1,000 of them
_SEED = 4


def train(images: Images, labels: Labels) -> MLPClassifier:
    """Return a copy trained on images [n, 8, 8] and the labels [n] they were given."""
    copy = MLPClassifier((_HIDDEN,), batch_size=min(32, len(labels)), max_iter=_STEPS, random_state=_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bounded training is what is wanted
        return copy.fit(_flat(images), labels)


def agreement(images: Images, labels: Labels, test: Images, truth: Labels) -> float:
    """Return the share of `test` that a copy trained on the answers names as the model does (`truth`)."""
    if len(labels) == 0:
        return 0.0
    if len(np.unique(labels)) == 1:
        return float((truth == labels[0]).mean())
    return float((train(images, labels).predict(_flat(test)) == truth).mean())


def gradient(copy: MLPClassifier, images: Images, labels: Labels) -> npt.NDArray[np.float64]:
    """Return how the copy's output for each label grows with each pixel, [n, 8, 8]."""
    flat = _flat(images).astype(np.float64)
    active = flat @ copy.coefs_[0] + copy.intercepts_[0] > 0
    column = np.searchsorted(copy.classes_, labels)
    outwards = copy.coefs_[1][:, column % copy.coefs_[1].shape[1]].T  # two classes share one output
    return np.asarray(((active * outwards) @ copy.coefs_[0].T).reshape(images.shape))


def _flat(images: Images) -> npt.NDArray[np.float32]:
    return images.reshape(len(images), -1)
