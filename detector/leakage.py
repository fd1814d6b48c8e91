"""Leakage: how well this client could imitate the model by now.

A linear surrogate is trained on what is remembered of the client and tested on the population's reservoir
of ordinary queries with the model's own answers. Agreement on the client's own next answers would say how
repetitive it is, not what it knows. 64 remembered queries and a straight surrogate: take it as a lower bound.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import SGDClassifier

from detector.population import Population

KNOWN_MIN: Final = 8  # remembered queries with a label, below which nothing can be said
RESERVOIR_MIN: Final = 100  # ordinary queries to test on: below, the figure's error is above 0.1
PASSES: Final = 30  # over the remembered queries
ALPHA: Final = 1e-3  # ridge penalty


def estimate(population: Population, scene: npt.NDArray[Any], label: npt.NDArray[Any]) -> float | None:
    """Return the share 0..1 of ordinary queries that a surrogate of the client's answers labels as the model does.

    `scene` f4[24, k] are the principal axes of the k remembered queries with the labels i8[k] (-1: left out).
    None: not enough known.
    """
    axes, answers = population.arrays.get("reservoir_ux"), population.arrays.get("reservoir_label")
    known = label >= 0
    if axes is None or answers is None or len(answers) < RESERVOIR_MIN or known.sum() < KNOWN_MIN:
        return None
    used = min(len(scene), axes.shape[1])
    sd = np.maximum(np.std(axes[:, :used], axis=0), 1e-6)
    learnt = np.ascontiguousarray(scene[:used, known].T, np.float64) / sd
    if len(np.unique(label[known])) == 1:
        return round(float(np.mean(answers == label[known][0])), 3)
    surrogate = SGDClassifier(loss="log_loss", alpha=ALPHA, max_iter=PASSES, tol=None, random_state=0)
    surrogate.fit(learnt, label[known])
    return round(float(np.mean(surrogate.predict(axes[:, :used] / sd) == answers)), 3)
