"""Outputs: what a model answered, as label and margin, the same from either form of record."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.records import Output
from detector.wire.facts import LABEL_MAX, Fault
from detector.wire.ids import label_code

Floats = npt.NDArray[np.float32]
UNKNOWN = -1
_OUTSIDE = "output.probabilities: not all in 0..1"


class Answers(NamedTuple):
    """Labels and margins of n answers; -1 and NaN where unknown. `faults`: reason by row."""

    label: npt.NDArray[np.int64]
    margin_low: Floats
    margin_high: Floats
    faults: dict[int, str]


def blank(rows: int) -> Answers:
    """Return answers of which nothing is known."""
    nan = np.full((2, rows), np.nan, np.float32)
    return Answers(np.full(rows, UNKNOWN, np.int64), nan[0], nan[1], {})


def put_probabilities(answers: Answers, rows: npt.NDArray[np.intp], probabilities: Floats) -> None:
    """Fill `rows` of `answers` from `probabilities` [len(rows), K]; the first of equal ones is the label."""
    inside = ((probabilities >= 0) & (probabilities <= 1)).all(axis=1)  # a NaN is not inside
    answers.faults.update(dict.fromkeys(rows[~inside].tolist(), _OUTSIDE))
    rows, probabilities = rows[inside], probabilities[inside]
    if probabilities.shape[1] == 1:  # a binary score
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    label = probabilities.argmax(axis=1)
    each = np.arange(len(rows))
    top = probabilities[each, label]
    rest = probabilities.copy()
    rest[each, label] = -1
    margin = top - rest.max(axis=1) if len(rows) else top
    answers.label[rows] = label
    answers.margin_low[rows] = margin
    answers.margin_high[rows] = margin


def put_confidence(answers: Answers, rows: npt.NDArray[np.intp], confidence: Floats, classes: int | None) -> None:
    """Bound the margin of `rows` by the label's probability, `confidence` [len(rows)].

    With c the confidence and K classes the second best has at least (1-c)/(K-1) and at most 1-c: the margin lies in
    [2c-1, c-(1-c)/(K-1)], and no lower than 0. Without K the upper end is c.
    """
    inside = (confidence >= 0) & (confidence <= 1)
    answers.faults.update(dict.fromkeys(rows[~inside].tolist(), "output.confidence: not in 0..1"))
    rows, confidence = rows[inside], confidence[inside]
    low = np.maximum(2 * confidence - 1, 0)
    known = classes is not None and classes > 1
    high = confidence - (1 - confidence) / np.float32((classes or 0) - 1) if known else confidence
    answers.margin_low[rows] = low
    answers.margin_high[rows] = np.maximum(high, low)


def from_outputs(outputs: Sequence[Output | None], answered: npt.NDArray[np.bool_], classes: int | None) -> Answers:
    """Return the answers in `outputs`, row by row; rows not `answered` (4xx, 5xx) stay unknown."""
    answers = blank(len(outputs))
    widths = [len(output.probabilities or ()) if output is not None else 0 for output in outputs]
    width = np.where(answered, widths, UNKNOWN)
    for stated in set(width[width > 0].tolist()):
        rows = np.flatnonzero(width == stated)
        wide = [outputs[row].probabilities for row in rows.tolist()]  # type: ignore[union-attr]  # rows that have them
        flat = np.fromiter(chain.from_iterable(wide), np.float64, len(wide) * stated)  # type: ignore[arg-type]  # as above
        put_probabilities(answers, rows, narrow(flat.reshape(-1, stated)))
    sure: list[tuple[int, float]] = []
    for row in np.flatnonzero(width == 0).tolist():
        output = outputs[row]
        try:
            answers.label[row] = _label(output)
        except Fault as fault:
            answers.faults[row] = str(fault)
        else:
            sure += [] if output is None or output.confidence is None else [(row, output.confidence)]
    if sure:
        put_confidence(answers, np.array([row for row, _ in sure]), narrow([value for _, value in sure]), classes)
    return answers


def narrow(values: Any) -> Floats:
    """Return numbers as float32; what is beyond its range becomes infinity, for a later check to find."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values, np.float64).astype(np.float32)


def _label(output: Output | None) -> int:
    if output is None:
        raise Fault("output: missing")
    if output.probabilities is not None:
        raise Fault("output.probabilities: empty")
    if output.label is None:
        raise Fault("output: neither probabilities nor label")
    if isinstance(output.label, str):
        return label_code(output.label)
    if not 0 <= output.label <= LABEL_MAX:
        raise Fault("output.label: not in 0..2147483647")
    return output.label
