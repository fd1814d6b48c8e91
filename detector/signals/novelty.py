"""Novelty: windows that as a whole look like none of the ordinary clients' (river's half-space trees).

Too coarse to block by itself, but it sees Boundary, which no single reading does. River grows the trees when a
population is learnt, which keeps what they ask (older ones do not: theirs are grown when they are loaded); what they
hold is rebuilt from its window rows. No pickle, and the same trees everywhere.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import geometry, half_space
from detector.compiled import lean
from detector.half_space import HalfSpaces
from detector.once import once
from detector.population import Array, Population
from detector.signals.base import Counts, Event, Hit, Outcomes, Signal, Trace, known, number

WINDOW: Final = 1_000  # rows after which the trees' new counts serve
ROWS_MIN: Final = 250  # fewer ordinary windows say nothing
KNOWN: Final = 0.5  # of a row's columns; trees that were asked of less would answer for the population
QUANTILES: Final = {"odd98": 0.98, "odd998": 0.998}

_Rows = npt.NDArray[np.float32]


class _Trees(NamedTuple):
    """Trees that hold a population's rows."""

    trees: HalfSpaces
    span: int  # rows whose counts serve
    said: npt.NDArray[np.float64]  # of each later row before it was learnt


def learnt(rows: _Rows) -> tuple[dict[str, Array], dict[str, float]]:
    """Return the arrays and numbers that a population keeps of trees grown for its rows; none of too few rows."""
    if len(rows) < ROWS_MIN:
        return {}, {}
    found = _grown(rows)
    asked: dict[str, Array] = {
        "odd_column": found.trees.column.astype(np.int16),
        "odd_threshold": found.trees.threshold,
    }
    return asked, {name: _quantile(found, share) for name, share in QUANTILES.items()}


def _trees(population: Population) -> _Trees | None:
    rows = population.arrays.get("rows")
    if rows is None or len(rows) < ROWS_MIN:
        return None
    return _kept(population) if "odd_column" in population.arrays else _grown(rows)


@once
def _kept(population: Population) -> _Trees:
    rows = geometry.array(population, "rows", np.float32)
    column = geometry.array(population, "odd_column", np.int64)
    threshold = geometry.array(population, "odd_threshold", np.float64)
    return _taught(half_space.empty(column, threshold, rows.shape[1]), rows)


@once
def _grown(rows: _Rows) -> _Trees:
    return _taught(half_space.grown(_spoken(rows).tolist()), np.require(rows, np.float32, ["C", "W"]))


def _taught(trees: HalfSpaces, rows: _Rows) -> _Trees:
    span, columns = min(WINDOW, len(rows) // 2), _spoken(rows)
    usual = np.zeros(rows.shape[1], np.float32)
    usual[columns] = np.nan_to_num(np.nanmedian(rows[:, columns], axis=0))
    return _Trees(trees, span, half_space.taught(trees, rows, usual, span)[span:])


def _spoken(rows: _Rows) -> npt.NDArray[np.intp]:
    """Return the columns of which anything is known."""
    return np.flatnonzero(~np.isnan(rows).all(axis=0))


def scores(population: Population, rows: _Rows) -> _Rows:
    """Return how odd each window row f4[m, R] is, 0..1; NaN while the population holds too few rows."""
    found = _trees(population)
    if found is None:
        return np.full(len(rows), np.nan, np.float32)
    return half_space.scores(found.trees, np.require(rows, np.float32, ["C", "W"]), found.span).astype(np.float32)


@once
def _quantiles(population: Population) -> dict[str, float]:
    """Return the population's own quantiles of the score; NaN: unknown."""
    found = _trees(population)
    told = {name: number(population, name) for name in QUANTILES}
    return {
        name: _quantile(found, QUANTILES[name]) if found is not None and math.isnan(value) else value
        for name, value in told.items()
    }


def _quantile(found: _Trees, share: float) -> float:
    from river.stats import Quantile  # noqa: PLC0415  # see `half_space.grown`

    quantile = Quantile(share)
    for value in found.said.tolist():
        quantile.update(value)
    return float(quantile.get() or math.inf)


@once
def _thresholds(population: Population) -> tuple[Any, ...]:
    return tuple(np.float32(value) for value in _quantiles(population).values())


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
    usual = math.nan if counts.population is None else _quantiles(counts.population)[name]
    above = "" if math.isnan(usual) else f", above {usual:.2f} on a scale of 0 to 1"
    return (
        f"{counts.share(counts.strongest)} windows as a whole are odder than {degree} of ordinary windows{above}"
        f" ({counts.ordinary(counts.strongest)})"
    )


def _trace(rows: _Rows, population: Population) -> Trace:
    odd = scores(population, rows)
    return Trace(odd, [odd])


def _words(hit: Hit) -> str:
    usual = _quantiles(hit.population)["odd98"]
    return f"are {hit.numbers[0]:.2f} odd on a scale of 0 to 1 (98 % of ordinary windows: below {usual:.2f})"


SIGNAL = Signal(
    name="novelty",
    events=(Event("odd98", "novelty", "O"), Event("odd998", "novelty", "O")),
    read=_read,
    prepare=_thresholds,
    because=_because,
    trace_windows=_trace,
    words=_words,
    plain="Its questions, taken together, look like no ordinary client's.",
    source="Tan, Ting and Liu 2011 (half-space trees), river.anomaly.HalfSpaceTrees and QuantileFilter",
)
