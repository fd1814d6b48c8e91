"""Memory: repeats are collapsed, grants are capped, the reservoir is a fair sample, windows are the client's own."""

from dataclasses import replace

import numpy as np

from detector import memory
from detector.clients import Table
from detector.geometry import COORDS, SCENE, SKETCH
from detector.names import blank
from detector.windows import Watch
from tests.detector import build

SCALES = memory.Scales(r=1.0, udist=10.0, strange=np.float32(0), coords=COORDS, numeric=0)


def _asked(rows: np.ndarray, label: list[int]) -> memory.Asked:
    count = len(rows)
    z = np.zeros((count, SKETCH), np.float32)
    ux = np.zeros((count, SCENE), np.float32)
    z[:, 0] = ux[:, 0] = rows
    c = np.round(1_000 * z[:, :1] * np.ones(COORDS)).astype(np.int16)
    return memory.Asked(
        np.zeros(count, np.int64),
        np.ones(count, np.bool_),
        np.array(label),
        z,
        ux,
        c,
        np.ones(count, np.float32),
        np.zeros(count, np.float32),
        blank(count),
        np.arange(count),
    )


def _relate(table: Table, rows: np.ndarray, label: list[int]) -> memory.Relations:
    table.slot("a client")
    return memory.relate(table.columns["memory"], table.head["seed"], _asked(rows, label), SCALES)


def test_repeats_are_collapsed_and_their_trials_capped() -> None:
    """A retry is not remembered, and one remembered query grants three further trials."""
    table = Table(16)
    related = _relate(table, np.array([0.0, *[0.01] * 6, 9.0]), [1] * 8)

    assert related.repeat.tolist() == [False, *[True] * 6, False]
    assert related.trial.tolist() == [True, True, True, True, False, False, False, True]
    assert table.columns["memory"]["kept"][0] == 2


def test_another_answer_beside_a_remembered_one_is_a_flip() -> None:
    """The distance to the nearest query with another label is what probing shows in."""
    related = _relate(Table(16), np.array([0.0, 5.0, 0.5]), [1, 1, 2])

    assert related.dflip.tolist() == [np.inf, np.inf, 0.5]
    assert related.base.tolist() == [-1, 0, 0]


def test_the_ring_keeps_the_latest_and_a_fair_sample() -> None:
    """Of 2,000 distinct queries the latest 32 stay, and 32 others spread over the client's whole life."""
    table = Table(16)
    _relate(table, 3.0 * np.arange(2_000), [1] * 2_000)
    held = np.sort(table.columns["memory"]["ordinal"][0])

    assert held[-32:].tolist() == list(range(1_968, 2_000))
    assert 500 < held[:32].mean() < 1_500


def test_windows_are_cut_by_the_clients_own_count() -> None:
    """37 scored queries close two windows of 16 at the 16th and the 32nd, whatever else is in the batch."""
    life = build.life(build.PLAIN[0], 60, 40)
    refused = replace(life, scored=np.arange(40) % 10 != 3)
    closed = Watch(build.population(), 16).fold(refused)

    assert closed.window.tolist() == [0, 1]
    assert np.flatnonzero(refused.scored)[[15, 31]].tolist() == closed.row.tolist()
    assert closed.queries.tolist() == (closed.row + 1).tolist()


def test_entropies_of_a_window() -> None:
    """One label has entropy 0, all different ones 1, unknown ones none."""
    labels = np.concatenate([np.zeros(16), np.arange(16), np.full(16, -1)]).astype(np.int64)
    closed = Watch(build.population(), 16).fold(build.queries("entropies", None, labels))

    assert closed.rows[:2, -3].tolist() == [0.0, 1.0]
    assert np.isnan(closed.rows[2, -3])
    assert np.isnan(closed.rows[:, -2:]).all()
