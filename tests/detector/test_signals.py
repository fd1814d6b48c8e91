"""What every signal must pass; the registry says which signals there are."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detector.clients import Table
from detector.compiled import by_client
from detector.population import Population
from detector.signals import EVENTS, KINDS, ROW, SIGNALS, SPANS
from detector.signals.base import Batch, Counts, Flags, Outcomes, Signal
from detector.windows import Watch
from tests.detector import build

COUNT = 96
BYTES_MAX = 8_192  # of one signal's section: a slot holds ten of them
FOLDS = [signal for signal in SIGNALS if signal.fold]
READS = [signal for signal in SIGNALS if signal.read]


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Return a thief's queries with everything that signals read."""
    return _batch(build.population())


def _batch(population: Population) -> Batch:
    caught: list[Batch] = []

    class Catching(Watch):
        def _signals(self, population: Population, batch: Batch) -> tuple[Flags, Flags]:
            caught.append(batch)
            return super()._signals(population, batch)

    Catching(population, 16).fold(build.life(build.THIEVES[0], 3, COUNT))
    return caught[0]


def _fold(signal: Signal, table: Table, batch: Batch) -> npt.NDArray[np.bool_]:
    """Return hits and trials of each event, b1[E, 2, n]."""
    assert signal.fold is not None
    out = _blank(signal, len(batch.slot))
    signal.fold(batch, table.columns[signal.name], build.population(), out)
    return np.array([(hit & trial, trial) for hit, trial in zip(out.hit.T, out.trial.T, strict=True)])


def _blank(signal: Signal, rows: int) -> Outcomes:
    hit, trial = np.zeros((2, rows, len(signal.events)), np.bool_)
    return Outcomes(hit, trial, 0)


def _part(batch: Batch, rows: slice) -> Batch:
    part = Batch._make(column[rows] for column in batch)
    return part._replace(order=by_client(part.slot))


def _table() -> Table:
    table = Table(16)
    table.slot("a client")
    return table


def test_names_and_kinds_are_unique() -> None:
    """An event has one name, belongs to its signal's kind, and a kind speaks either of distribution or mechanism."""
    assert len({event.name for event in EVENTS}) == len(EVENTS)
    assert len(set(KINDS)) == len(KINDS) == len(SPANS)
    for signal in SIGNALS:
        assert {event.kind for event in signal.events} == {signal.name}
        assert len({event.group for event in signal.events}) == 1


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_explains_itself(signal: Signal) -> None:
    """A signal names its source, and says in one sentence with numbers what it saw and what is ordinary."""
    for event in range(len(signal.events)):
        count = np.full(len(signal.events), 7)
        sentence = signal.because(Counts(count, count * 2, np.full(len(signal.events), 0.25), event))

        assert "7 of 14" in sentence
        assert "ordinary clients: at most 25.0%" in sentence
    assert signal.source
    assert re.fullmatch(r"Its? [^.\d]{20,}\.", signal.plain)  # for everybody: one sentence, no figures


@pytest.mark.parametrize("signal", FOLDS, ids=lambda signal: signal.name)
def test_unknown_is_not_zero(signal: Signal, batch: Batch) -> None:
    """A query without input, label and probabilities is no trial of anything."""
    nan = np.full(len(batch.slot), np.nan, np.float32)
    floats = ("margin_low", "margin_high", "tex", "dc", "res", "sm", "dflip", "dmin", "changed")
    unknown: dict[str, Any] = dict.fromkeys(floats, nan)
    for name in ("has_input", "base_same", "lattice", "related", "repeat", "trial", "fresh"):
        unknown[name] = np.zeros(len(batch.slot), np.bool_)
    unknown |= {"label": np.full(len(batch.slot), -1), "cell": np.full(len(batch.slot), -1, np.int32)}
    blank = batch._replace(**unknown)

    assert not _fold(signal, _table(), blank)[:, 1].any()


@pytest.mark.parametrize("signal", READS, ids=lambda signal: signal.name)
def test_unknown_windows_are_not_zero(signal: Signal) -> None:
    """A window of which nothing is known is no trial."""
    assert signal.read is not None
    blank, out = np.full((3, len(ROW)), np.nan, np.float32), _blank(signal, 3)
    signal.read(blank, build.population(), out)

    assert not out.trial.any()


@pytest.mark.parametrize("signal", FOLDS, ids=lambda signal: signal.name)
def test_judged_before_learnt(signal: Signal, batch: Batch) -> None:
    """What a query is said to be depends on no later query, and the same queries say the same."""
    whole = _fold(signal, _table(), batch)
    for count in (1, 17, 64):
        assert np.array_equal(_fold(signal, _table(), _part(batch, slice(0, count))), whole[:, :, :count])
    assert np.array_equal(_fold(signal, _table(), batch), whole)


@pytest.mark.parametrize("signal", FOLDS, ids=lambda signal: signal.name)
def test_snapshot_resumes_exactly(signal: Signal, batch: Batch) -> None:
    """A section that was copied to another slot goes on as if nothing had happened."""
    whole, first, second = _fold(signal, _table(), batch), _table(), _table()
    _fold(signal, first, _part(batch, slice(0, 50)))
    for name, column in first.columns[signal.name].items():
        second.columns[signal.name][name][0] = column[0]

    assert np.array_equal(_fold(signal, second, _part(batch, slice(50, None))), whole[:, :, 50:])


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_memory_is_bounded(signal: Signal) -> None:
    """A signal's section has a fixed size that a slot can hold."""
    section = next(section for section in _table().sections if section.name == signal.name)

    assert section.dtype.itemsize <= BYTES_MAX
