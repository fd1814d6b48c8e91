"""Trees: our loop says what scikit-learn says, in whatever batch; foreign inputs look foreign."""

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

from detector import geometry, trees
from detector.learning import boosting, foreign
from detector.learning.past import generator
from detector.learning.virtual import Pool

RNG = np.random.default_rng(2)


def test_the_loop_equals_the_library() -> None:
    """Log-odds differ from scikit-learn's raw predictions by its constant start alone."""
    rows = RNG.normal(size=(2_000, 12)).astype(np.float32)
    boosted = GradientBoostingClassifier(n_estimators=30, max_depth=None, max_leaf_nodes=16, random_state=0)
    boosted.fit(rows, rows[:, 0] * rows[:, 1] > 0)
    ours, theirs = trees.answer(trees.questions(boosting._arrays(boosted)), rows), boosted.decision_function(rows)

    assert np.ptp(theirs - ours) < 1e-4


def test_any_batch_gives_the_same_bits() -> None:
    """Rows are summed one by one, tree after tree."""
    rows = RNG.normal(size=(300, 12)).astype(np.float32)
    boosted = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(rows, rows[:, 0] > 0)
    grown = trees.questions(boosting._arrays(boosted))
    parts = np.concatenate([trees.answer(grown, part) for part in np.array_split(rows, 7)])

    assert np.array_equal(trees.answer(grown, rows), parts)


def test_foreign_inputs_fit_their_layout() -> None:
    """Images lie within 0..1 and are always the same; a table's foreign rows keep each column's own values."""
    for shape in ((8, 8), (12, 10, 3), (3, 12, 10)):
        layout = geometry.layout(shape)
        pool = _pool(layout, RNG.random((80, layout.size), np.float32))
        made = foreign.inputs(pool, generator("foreign", "m"), 200)
        assert made.shape[1] == layout.size
        assert 0 <= made.min() <= made.max() <= 1
        assert np.array_equal(made, foreign.inputs(pool, generator("foreign", "m"), 200))
    table = _pool(geometry.layout((5,)), RNG.integers(0, 4, (80, 5)).astype(np.float64))
    shuffled = foreign.shuffled(table, generator("foreign", "m"), 50)
    assert set(np.unique(shuffled)) <= {0, 1, 2, 3}


def _pool(layout: geometry.Layout, inputs: np.ndarray) -> Pool:
    nothing = np.zeros(len(inputs), np.intp)
    return Pool(layout, inputs, nothing, np.ones(len(inputs), np.float32), nothing, np.ones(layout.size, np.bool_))
