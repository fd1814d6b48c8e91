"""Boosting: grow the trees that tell foreign inputs from ordinary ones and from changed copies of ordinary ones."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import GradientBoostingClassifier

from detector import trees
from detector.features import Seen
from detector.learning.past import seed
from detector.trees import Trees

TREES: Final = 80
LEAVES: Final = 16
LEAF_MIN: Final = 30  # rows in a leaf: no tree remembers single inputs
RATE: Final = 0.15
PART: Final = 0.5  # of the rows for each tree (Friedman 2002)
QUANTILES: Final = {"for96": 0.96, "for995": 0.995}


def fit(model: str, ordinary: Seen, foreign: Seen) -> tuple[dict[str, npt.NDArray[Any]], dict[str, float]]:
    """Return the arrays and numbers of the signal `foreign`.

    Trees grow on every second row; the thresholds are quantiles of the others, which they have not seen.
    """
    ordinary_rows, foreign_rows = trees.columns(*ordinary), trees.columns(*foreign)
    rows = np.concatenate([ordinary_rows[::2], foreign_rows])
    is_foreign = np.repeat([0, 1], [len(ordinary_rows[::2]), len(foreign_rows)])
    boosted = GradientBoostingClassifier(
        n_estimators=TREES,
        max_depth=None,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=LEAF_MIN,
        learning_rate=RATE,
        subsample=PART,
        max_features="sqrt",
        random_state=seed("foreign", model),
    )
    boosted.fit(rows, is_foreign)
    grown = _arrays(boosted)
    held_out = trees.answer(grown, ordinary_rows[1::2])
    numbers = {name: float(np.quantile(held_out, share)) for name, share in QUANTILES.items()}
    return {f"trees_{name}": column for name, column in grown._asdict().items()}, numbers


def _arrays(boosted: GradientBoostingClassifier) -> Trees:
    grown = [tree.tree_ for tree in boosted.estimators_[:, 0]]
    nodes = max(tree.node_count for tree in grown)

    def padded(values: Iterator[Any], dtype: Any) -> npt.NDArray[Any]:
        out = np.zeros((len(grown), nodes), dtype)
        for row, column in zip(out, values, strict=True):
            row[: len(column)] = column
        return out

    return Trees(
        column=padded((np.maximum(tree.feature, 0) for tree in grown), np.int32),
        # rows are float32: rounding a threshold down keeps every row on its side
        threshold=padded((_down(tree.threshold) for tree in grown), np.float32),
        left=padded((tree.children_left for tree in grown), np.int32),
        right=padded((tree.children_right for tree in grown), np.int32),
        value=padded((boosted.learning_rate * tree.value[:, 0, 0] for tree in grown), np.float32),
    )


def _down(threshold: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    nearest = threshold.astype(np.float32)
    return np.where(nearest > threshold, np.nextafter(nearest, np.float32(-np.inf)), nearest)
