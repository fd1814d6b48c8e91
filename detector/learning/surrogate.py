"""Surrogate: a small net that learns from ordinary clients' answers what the model would say of an input."""

import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from detector.geometry import Floats
from detector.learning.past import generator, seed

HIDDEN: Final = 96
PASSES: Final = 25
BATCH: Final = 128
DECAY: Final = 1e-3
STEP: Final = 2e-3  # Adam's
ROWS_MAX: Final = 24_000  # rows that it learns from: seconds, not minutes
LABELS_MAX: Final = 1_000  # the most frequent labels
LABELS_MIN: Final = 2  # one label says nothing


def fit(
    model: str, u: Floats, label: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[Any]]:
    """Return the net's arrays (see `geometry.ARRAYS`) from coarse views f4[n, U] and the model's answers i8[n].

    Empty with fewer than two labels. The mean and the one standard deviation of u are folded into the first layer: a
    column that hardly moves must not be blown up. Source: a perceptron agrees with the model on twice as many
    inputs of traffic signs as ridge regression on random features (benchmarks/arena), and a misfit looks like theft.
    """
    labels = frequent(label[label >= 0])
    if len(labels) < LABELS_MIN:
        return {}
    rows = np.flatnonzero(np.isin(label, labels))
    rows = generator("surrogate", model).permutation(rows)[:ROWS_MAX]
    mean, sd = u[rows].mean(0, dtype=np.float64), max(float(u[rows].std(dtype=np.float64)), 1e-6)
    net = MLPClassifier(
        (HIDDEN,),
        alpha=DECAY,
        batch_size=min(BATCH, len(rows)),
        learning_rate_init=STEP,
        max_iter=PASSES,
        random_state=seed("surrogate", model),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bounded training is what is wanted
        net.fit(((u[rows] - mean) / sd).astype(np.float32), label[rows], sample_weight=weight[rows].astype(np.float32))
    return _arrays(net, mean, sd) | {"labels": labels}


def frequent(label: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the LABELS_MAX most frequent labels, ascending: what a net's last layer can bear."""
    values, counts = np.unique(label, return_counts=True)
    return np.sort(values[np.argsort(-counts, kind="stable")[:LABELS_MAX]])


def _arrays(net: MLPClassifier, mean: npt.NDArray[np.float64], sd: float) -> dict[str, npt.NDArray[Any]]:
    first = net.coefs_[0] / sd
    out, bias = net.coefs_[1], net.intercepts_[1]
    if out.shape[1] == 1:  # two labels share one output: the log-odds of the second
        out, bias = np.hstack([np.zeros_like(out), out]), np.r_[0.0, bias]
    arrays = {"net_in": first, "net_in_bias": net.intercepts_[0] - mean @ first, "net_out": out, "net_out_bias": bias}
    return {name: np.ascontiguousarray(values, np.float32) for name, values in arrays.items()}
