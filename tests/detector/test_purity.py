"""The rule of purity: no batch, neighbour, eviction or restart changes a verdict."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from detector import half_space
from detector.detector import Detector
from detector.policy import parse
from detector.query import Queries, join
from detector.signals import ROW, novelty
from detector.verdict import Feedback, Snapshot, Verdict
from gamekeeper.demo import honest
from tests.detector import build

LIVES = (*build.THIEVES[:3], honest.KINDS[0], honest.KINDS[4], build.THIEVES[-1])
COUNT = 112
FEW = settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes


@functools.cache
def lives() -> tuple[Queries, ...]:
    """Return clients of several kinds whose `place` is unique."""
    every = [build.life(kind, 7, COUNT) for kind in LIVES]
    return tuple(replace(life, place=life.place + 1_000 * at) for at, life in enumerate(every))


def fresh() -> Detector:
    """Return a detector that has seen nothing; standings end after seconds, so that expiries are among the verdicts."""
    policy = parse("[durations]\nwatched = 20\nsuspected = 20\nconfirmed = 40\n")
    return Detector(policy, {build.MODEL: build.population()})


@functools.cache
def oracle() -> tuple[Verdict, ...]:
    """Return the verdicts of each client by itself, in one batch."""
    return tuple(verdict for life in lives() for verdict in fresh().assess(life))


def mixed(order: Sequence[int]) -> Queries:
    """Return all clients' queries, interleaved as `order` says, each client's own in order."""
    owner = np.resize(np.array(order), COUNT * len(LIVES)) % len(LIVES)
    rows = np.empty(len(owner), np.intp)
    rows[np.argsort(owner, kind="stable")] = np.arange(len(owner))
    return join(lives()).take(rows)


def same(verdicts: Sequence[Verdict]) -> bool:
    """Tell whether the verdicts are the oracle's, whatever the order of clients."""
    by_client = sorted(verdicts, key=lambda verdict: (verdict.client, verdict.serial))
    return by_client == sorted(oracle(), key=lambda verdict: (verdict.client, verdict.serial))


def test_the_oracle_says_something() -> None:
    """There are blocks, expiries and blocks again among the verdicts that the properties compare."""
    words = {(verdict.standing.value, verdict.cause.value) for verdict in oracle()}

    assert {("confirmed", "evidence"), ("clear", "expiry")} <= words
    assert max(verdict.episode for verdict in oracle()) > 1


@FEW
@given(st.lists(st.integers(1, 200), min_size=1, max_size=12), st.permutations(range(24)))
def test_batches_and_neighbours_change_nothing(sizes: list[int], order: list[int]) -> None:
    """Any split into batches of any interleaving of clients gives the same verdicts."""
    stream, detector, verdicts, at, turn = mixed(order), fresh(), [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        verdicts += detector.assess(stream.take(slice(at, at + size)))
        at, turn = at + size, turn + 1

    assert same(verdicts)


@FEW
@given(st.lists(st.integers(1, 671), min_size=1, max_size=6, unique=True), st.integers(0, 6))
def test_eviction_and_restart_change_nothing(stops: list[int], keep: int) -> None:
    """Snapshots at any query, clients forgotten and restored, a new process in between: the same verdicts."""
    stream, detector, verdicts = mixed([3, 1, 2, 5, 4, 0]), fresh(), []
    stored: dict[str, Snapshot] = {}
    ends = [*sorted(stops), len(stream)]
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        part = stream.take(slice(start, end))
        detector.restore([stored[name] for name in detector.strangers(part) if name in stored])
        verdicts += detector.assess(part)
        _save(detector, stored)
        detector.evict(keep)
        detector = detector if start % 2 else fresh()

    assert same(verdicts)


def _save(detector: Detector, stored: dict[str, Snapshot]) -> None:
    stored.update({held.client: held for held in detector.changed()})
    detector.saved()


def test_a_lift_is_an_input_of_the_stream() -> None:
    """A person's lift at the same query gives the same verdicts, however the rest is split."""
    life = lives()[0]

    def run(sizes: tuple[int, ...]) -> list[Verdict]:
        detector, verdicts = fresh(), []
        for part, size in zip((life.take(slice(0, 40)), life.take(slice(40, None))), sizes, strict=True):
            for at in range(0, len(part), size):
                verdicts += detector.assess(part.take(slice(at, at + size)))
            verdicts += detector.hear(Feedback(life.clients[0], "*", "lift", int(part.time[-1])))
        return verdicts

    assert run((40, 72)) == run((7, 5)) == run((1, 1))


def test_time_may_stand_still_or_run_back() -> None:
    """Equal and falling times change no window and no reading."""
    life = lives()[0]
    standing = [fresh().assess(replace(life, time=time)) for time in (np.full(COUNT, build.START), life.time[::-1])]

    assert all(verdicts[0].standing == "confirmed" for verdicts in standing)
    assert _timeless(standing[0][0]) == _timeless(standing[1][0])


def _timeless(verdict: Verdict) -> list[object]:
    """Return the evidence without times."""
    said = [(reading.signal, reading.value, reading.because) for reading in verdict.evidence]
    shown = [example.queries for reading in verdict.evidence for example in reading.examples]
    return [said, [[(query.number, query.id) for query in queries] for queries in shown]]


def test_trees_are_grown_before_queries_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """No first poll waits for what a population can be turned into before it."""
    known = build.population()
    rows = np.full((novelty.ROWS_MIN, len(ROW)), 0.5, np.float32)
    detector = Detector(parse(""), {build.MODEL: replace(known, arrays={**known.arrays, "rows": rows})})
    monkeypatch.delattr(half_space, "grown")

    assert detector.assess(lives()[0])
