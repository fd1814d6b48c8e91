"""Verify: copies are counted as copies, innocent models match no more often than the null says."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from gateway.watermark.dawn import Floats, Marking, marked
from gateway.watermark.proof import LEVEL, together
from gateway.watermark.triggers import triggers
from gateway.watermark.verify import Ask, Marked, answers, genuine, trigger_set
from tests.watermark.nets import digits

SECRET = b"0123456789abcdef"
CERTAIN = np.eye(10, dtype=np.float32)


def thief(rows: int = 2_000, secret: bytes = SECRET) -> tuple[Floats, npt.NDArray[np.int64], Marked]:
    """Return what a client asked, the labels it was served, and its marks."""
    rng = np.random.default_rng(0)
    asked, true = rng.random((rows, 64), dtype=np.float32), rng.integers(0, 10, rows)
    served, which = marked(asked, CERTAIN[true], Marking(secret, "thief", "digits", 0.05))
    label = served.argmax(axis=1)
    return asked, label, Marked("thief", "digits", 10, asked[which], true[which], label[which])


def knowing(asked: Floats, label: npt.NDArray[np.int64]) -> Ask:
    """Return a suspect that learnt all it was told by heart."""
    known = {row.tobytes(): at for row, at in zip(asked, label, strict=True)}
    return lambda inputs: CERTAIN[[known[row.tobytes()] for row in inputs]]


def innocent(count: int) -> Iterator[Ask]:
    """Yield models trained on other parts of the digits, each in its own way."""
    inputs, label = digits()
    for number in range(count):
        rows = np.random.default_rng(number).choice(len(inputs), 300, replace=False)
        model = LogisticRegression(C=0.01 * (1 + number), max_iter=300, tol=0.01).fit(inputs[rows], label[rows])
        yield partial(probabilities, model)


def probabilities(model: LogisticRegression, asked: Floats) -> Floats:
    """Return a model's answers."""
    return np.asarray(model.predict_proba(asked), np.float32)


def level_headed(classes: int, asked: Floats) -> Floats:
    """Return answers that prefer no class."""
    return np.full((len(asked), classes), 1 / classes, np.float32)


def test_who_repeats_every_mark_is_counted_so() -> None:
    """All marks compared and repeated; of another client's, or by another secret, none are even genuine."""
    asked, label, held = thief()
    count = answers(knowing(asked, label), held, SECRET)
    assert count.marks == count.matches
    assert 0.9 * len(held) < count.marks <= len(held)  # some are neighbours
    assert (count.rate, count.p < LEVEL) == (1 / 9, True)
    strange = answers(knowing(asked, label), held, b"another secret!!")
    assert strange.marks < len(held) / 10


def test_who_contradicts_nothing_proves_nothing() -> None:
    """The model itself, by its labels, is compared at no mark."""
    _, _, held = thief()
    count = answers(lambda _: CERTAIN[held.true], held, SECRET)
    assert (count.marks, count.matches, count.p) == (0, 0, 1.0)


def test_probabilities_betray_more_than_labels() -> None:
    """A suspect that keeps the model's class first and the marked one second is told by probabilities alone."""
    _, _, held = thief()
    said = 0.7 * CERTAIN[held.true] + 0.3 * CERTAIN[held.served]
    assert answers(lambda _: said, held, SECRET).p < LEVEL
    assert answers(lambda _: CERTAIN[said.argmax(axis=1)], held, SECRET).p == 1.0


def test_neighbours_are_one_mark() -> None:
    """Asking the same a hundred times makes no stronger proof."""
    asked, label, held = thief()
    many = Marked(
        "thief", "digits", 10, *(np.repeat(getattr(held, name), 100, axis=0) for name in ("inputs", "true", "served"))
    )
    assert answers(knowing(asked, label), many, SECRET) == answers(knowing(asked, label), held, SECRET)


def test_changes_that_are_no_marks_are_left_out() -> None:
    """Classes that an output step changed are not drawn by the secret, and do not count."""
    asked = np.random.default_rng(5).random((4_000, 64), dtype=np.float32)
    true = np.zeros(4_000, np.int64)
    noisy = Marked("thief", "digits", 10, asked, true, true + 1)
    assert len(genuine(noisy, SECRET)[0]) <= stats.binom.isf(1e-6, 4_000, 0.05 / 9)


def test_a_suspect_may_have_other_classes() -> None:
    """Fewer or more than the model: compared where they are the same, without a fault."""
    _, _, held = thief()
    for classes in (1, 2, 4, 30):
        count = answers(partial(level_headed, classes), held, SECRET)
        assert 0 <= count.matches <= count.marks <= len(held)


def test_no_innocent_model_is_claimed() -> None:
    """Of forty models none comes near the level, by trigger set or by marks; the null is not broken at 5 % either."""
    inputs, _ = digits()
    found = triggers(SECRET, inputs, 10, 100)
    _, _, held = thief()
    models = list(innocent(40))
    sets = np.array([together(trigger_set(ask, found)) for ask in models])
    marks = np.array([answers(ask, held, SECRET).p for ask in models])
    assert min(sets.min(), marks.min()) > 1e-6
    assert (sets < 0.05).sum() <= stats.binom.isf(1e-6, 40, 0.05)


@pytest.mark.parametrize("kind", ["patterns", "tails"])
def test_the_null_holds_over_keys(kind: str) -> None:
    """One innocent model and 400 keys: as many p-values below a level as the level says, or fewer."""
    inputs, _ = digits()
    [ask] = innocent(1)
    values = []
    for number in range(400):
        counts = trigger_set(ask, triggers(number.to_bytes(16, "big"), inputs[:300], 10, 52))
        values += [count.p for count in counts if count.kind == kind]
    assert len(values) == 400
    for level in (0.05, 0.2):
        assert (np.array(values) <= level).sum() <= stats.binom.isf(1e-6, 400, level)
