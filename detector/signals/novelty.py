"""Novelty: windows that as a whole look like none of the ordinary clients' (river's half-space trees).

Too coarse to block by itself, but it sees Boundary, which no single reading does. The trees are rebuilt from
the population's stored window rows: no pickle, and the same trees everywhere.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector import half_space
from detector.compiled import lean
from detector.once import once
from detector.population import Population
from detector.signals.base import Counts, Event, Hit, Outcomes, Signal, Trace, known, number

WINDOW: Final = 1_000  # rows after which the trees' new counts serve
ROWS_MIN: Final = 250  # fewer ordinary windows say nothing
KNOWN: Final = 0.5  # of a row's columns; trees that were asked of less would answer for the population
QUANTILES: Final = {"odd98": 0.98, "odd998": 0.998}

_Rows = npt.NDArray[np.float32]


class _Trees:
    """Trees grown on a population's rows, with the quantiles of what they said of each row before learning it."""

    def __init__(self, rows: _Rows) -> None:
        self._span = min(WINDOW, len(rows) // 2)
        columns = np.flatnonzero(~np.isnan(rows).all(axis=0))
        usual = np.zeros(rows.shape[1], np.float32)
        usual[columns] = np.nan_to_num(np.nanmedian(rows[:, columns], axis=0))
        self._trees = half_space.grown(columns.tolist())
        said = half_space.taught(self._trees, rows, usual, self._span)
        from river.stats import Quantile  # noqa: PLC0415  # see `half_space.grown`

        self._quantiles = {name: Quantile(share) for name, share in QUANTILES.items()}
        for quantile in self._quantiles.values():
            for value in said[self._span :].tolist():
                quantile.update(value)

    def scores(self, rows: _Rows) -> _Rows:
        """Return how odd window rows f4[m, R] are, 0..1."""
        return half_space.scores(self._trees, rows, self._span).astype(np.float32)

    def threshold(self, name: str) -> float:
        """Return the population's own quantile of the score."""
        return float(self._quantiles[name].get() or math.inf)


def _trees(population: Population) -> _Trees | None:
    rows = population.arrays.get("rows")
    return None if rows is None or len(rows) < ROWS_MIN else _grown(rows)


@once
def _grown(rows: _Rows) -> _Trees:
    return _Trees(np.require(rows, np.float32, ["C", "W"]))


def scores(population: Population, rows: _Rows) -> _Rows:
    """Return how odd each window row f4[m, R] is, 0..1; NaN while the population holds too few rows."""
    trees = _trees(population)
    if trees is None:
        return np.full(len(rows), np.nan, np.float32)
    return trees.scores(np.require(rows, np.float32, ["C", "W"]))


def _threshold(population: Population, name: str) -> float:
    told = number(population, name)
    trees = _trees(population)
    return trees.threshold(name) if trees is not None and math.isnan(told) else told


@once
def _thresholds(population: Population) -> tuple[Any, ...]:
    return tuple(np.float32(_threshold(population, name)) for name in QUANTILES)


def _read(rows: _Rows, population: Population, out: Outcomes) -> None:
    _compare(rows, scores(population, rows), _thresholds(population), out)


@lean
def _compare(rows: Any, odd: Any, thresholds: tuple[float, float], out: Outcomes) -> None:
    for row in range(rows.shape[0]):
        told = 0
        for value in rows[row]:
            told += known(value)
        asked = told / rows.shape[1] >= KNOWN and known(odd[row])
        for degree in range(2):
            out.hit[row, out.first + degree] = odd[row] > thresholds[degree]
            out.trial[row, out.first + degree] = asked


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
    prepare=_trees,
    because=_because,
    trace_windows=_trace,
    words=_words,
    plain="Its questions, taken together, look like no ordinary client's.",
    source="Tan, Ting and Liu 2011 (half-space trees), river.anomaly.HalfSpaceTrees and QuantileFilter",
)
