"""Novelty: windows that as a whole look like none of the ordinary clients' (river's half-space trees).

Too coarse to block by itself, but it sees Boundary, which no single reading does. The trees are rebuilt from
the population's stored window rows: no pickle, and the same trees everywhere.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from river import anomaly

from detector.population import Population
from detector.signals.base import Counts, Event, Flags, Hit, Signal, Trace, known, number

TREES: Final = 25
HEIGHT: Final = 8
WINDOW: Final = 1_000  # rows after which the trees' new counts serve
ROWS_MIN: Final = 250  # fewer ordinary windows say nothing
KNOWN: Final = 0.5  # of a row's columns; trees that were asked of less would answer for the population
SEED: Final = 7  # any; fixed, so that every process grows the same trees
QUANTILES: Final = {"odd98": 0.98, "odd998": 0.998}

_Rows = npt.NDArray[np.float32]


class _Trees:
    """Trees grown on a population's rows, with the quantiles of what they said of each row before learning it."""

    def __init__(self, rows: _Rows) -> None:
        span = min(WINDOW, len(rows) // 2)
        trees = anomaly.HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=span, seed=SEED)
        self._filters = {
            name: anomaly.QuantileFilter(trees, q=quantile, protect_anomaly_detector=False)
            for name, quantile in QUANTILES.items()
        }
        self._trees: Any = trees  # river is typed in part only
        self.columns = [column for column in range(rows.shape[1]) if not np.isnan(rows[:, column]).all()]
        usual = np.nan_to_num(np.nanmedian(rows[:, self.columns], axis=0))
        self._usual = dict(zip(self.columns, usual.tolist(), strict=True))
        for at, row in enumerate(rows):
            self._learn(row, judged=at >= span)

    def _learn(self, row: _Rows, judged: bool) -> None:
        said = self.score(row)
        if judged:  # before the first rows are learnt every score is 0
            for quantile in self._filters.values():
                quantile.quantile.update(said)
        self._trees.learn_one(self._usual | self._named(row))

    def _named(self, row: _Rows) -> dict[int, float]:
        """Return the known columns by number; an unknown one is left out and the trees follow the greater mass."""
        return {column: float(row[column]) for column in self.columns if not math.isnan(row[column])}

    def score(self, row: _Rows) -> float:
        """Return how odd a window row is, 0..1."""
        return float(self._trees.score_one(self._named(row)))

    def threshold(self, name: str) -> float:
        """Return the population's own quantile of the score."""
        return float(self._filters[name].quantile.get() or math.inf)


_GROWN: dict[int, tuple[Any, _Trees]] = {}
"""Trees by the identity of the rows they grew on; the rows are kept beside them, so that no others take it."""
GROWN_MAX: Final = 16  # populations in use by one process


def _trees(population: Population) -> _Trees | None:
    rows = population.arrays.get("rows")
    if rows is None or len(rows) < ROWS_MIN:
        return None
    if id(rows) not in _GROWN:
        if len(_GROWN) == GROWN_MAX:
            _GROWN.clear()
        _GROWN[id(rows)] = (rows, _Trees(np.asarray(rows, np.float32)))
    return _GROWN[id(rows)][1]


def scores(population: Population, rows: _Rows) -> _Rows:
    """Return how odd each window row f4[m, R] is, 0..1; NaN while the population holds too few rows."""
    trees = _trees(population)
    if trees is None:
        return np.full(len(rows), np.nan, np.float32)
    return np.array([trees.score(row) for row in rows], np.float32)


def _threshold(population: Population, name: str) -> float:
    told = number(population, name)
    trees = _trees(population)
    return trees.threshold(name) if trees is not None and math.isnan(told) else told


def _read(rows: _Rows, population: Population) -> list[tuple[Flags, Flags]]:
    odd = np.where(np.mean(~np.isnan(rows), axis=1) >= KNOWN, scores(population, rows), np.float32(np.nan))
    return [(odd > _threshold(population, name), np.asarray(known(odd), np.bool_)) for name in QUANTILES]


def _because(counts: Counts) -> str:
    degree, name = ("98 %", "99.8 %")[counts.strongest], tuple(QUANTILES)[counts.strongest]
    usual = math.nan if counts.population is None else _threshold(counts.population, name)
    above = "" if math.isnan(usual) else f", above {usual:.2f} on a scale of 0 to 1"
    return (
        f"{counts.share(counts.strongest)} windows as a whole are odder than {degree} of ordinary windows{above}"
        f" ({counts.ordinary(counts.strongest)})"
    )


def _trace(rows: _Rows, population: Population) -> Trace:
    odd = scores(population, rows)
    return Trace(odd, [odd])


def _words(hit: Hit) -> str:
    usual = _threshold(hit.population, "odd98")
    return f"are {hit.numbers[0]:.2f} odd on a scale of 0 to 1 (98 % of ordinary windows: below {usual:.2f})"


SIGNAL = Signal(
    name="novelty",
    events=(Event("odd98", "novelty", "O"), Event("odd998", "novelty", "O")),
    read=_read,
    because=_because,
    trace_windows=_trace,
    words=_words,
    source="Tan, Ting and Liu 2011 (half-space trees), river.anomaly.HalfSpaceTrees and QuantileFilter",
)
