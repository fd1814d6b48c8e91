"""Boosting: grow the trees that tell foreign inputs from ordinary ones and from changed copies of ordinary ones."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import GradientBoostingClassifier

from detector import features, trees
from detector.geometry import Floats
from detector.learning import foreign, virtual
from detector.learning.past import generator, seed
from detector.learning.virtual import Stock
from detector.population import Population
from detector.trees import Trees

ORDINARY: Final = 4_000  # ordinary inputs
COPIES: Final = 800  # and copies of each virtual kind
TREES: Final = 80
LEAVES: Final = 16
LEAF_MIN: Final = 30  # rows in a leaf: no tree remembers single inputs
RATE: Final = 0.15
PART: Final = 0.5  # of the rows for each tree (Friedman 2002)
QUANTILES: Final = {"for96": 0.96, "for995": 0.995}


def with_trees(population: Population, stock: Stock, inputs: Floats) -> Population:
    """Add the trees that tell foreign inputs; a pool too small for virtual copies is too small for them."""
    glass, rng = features.lens(population), generator("foreign", population.model)
    ordinary = [rng.permutation(inputs)[:ORDINARY]]
    for kind in virtual.kinds_of(stock.pool.layout):
        made = stock.queries(kind, virtual.CLIENTS_FIRST)
        if made is not None and made.input is not None:
            ordinary.append(rng.permutation(made.input)[:COPIES])
    if glass is None or len(ordinary) == 1:
        return population
    strange = virtual.raw(foreign.inputs(stock.pool, rng), population)
    arrays, numbers = fit(
        population.model,
        features.asked_of_trees(glass, np.concatenate(ordinary)),
        features.asked_of_trees(glass, strange),
    )
    return replace(population, arrays={**population.arrays, **arrays}, numbers={**population.numbers, **numbers})


def fit(model: str, ordinary: Floats, foreign: Floats) -> tuple[dict[str, npt.NDArray[Any]], dict[str, float]]:
    """Return the trees' arrays, and the thresholds, from rows f4[n, C] as `features.asked_of_trees` makes them.

    Trees grow on every second row; the thresholds are quantiles of the others, which they have not seen.
    """
    teaching, held_out = ordinary[::2], ordinary[1::2]
    is_foreign = np.repeat([0, 1], [len(teaching), len(foreign)])
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
    boosted.fit(np.concatenate([teaching, foreign]), is_foreign)
    grown = _arrays(boosted)
    usual = trees.answer(trees.questions(grown), held_out)
    numbers = {name: float(np.quantile(usual, share)) for name, share in QUANTILES.items()}
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
