"""What it is for: thieves are blocked within a hundred queries, honest clients never are."""

import numpy as np
import pytest

from detector.detector import ClientLine, Detector
from detector.policy import Policy
from detector.query import Queries
from detector.standing import Standing
from gamekeeper.demo import honest
from gamekeeper.demo.clients import Kind
from tests.detector import build


def _line(queries: Queries) -> ClientLine:
    detector = Detector(Policy(), {build.MODEL: build.population()})
    detector.assess(queries)
    return next(detector.clients())


@pytest.mark.parametrize("kind", build.THIEVES, ids=lambda kind: kind.name)
def test_thieves_are_blocked(kind: Kind) -> None:
    """Each of four thieves of a kind is blocked within 150 queries."""
    lines = [_line(build.life(kind, number, 208)) for number in range(4)]

    assert all(line.first_block_at_query is not None and line.first_block_at_query <= 150 for line in lines)
    assert all(line.score == 1.0 for line in lines)


@pytest.mark.parametrize("kind", honest.KINDS, ids=lambda kind: kind.name)
def test_honest_clients_are_never_blocked(kind: Kind) -> None:
    """None of eight clients of a kind, two kinds of which the population has not seen, is even suspected."""
    lines = [_line(build.life(kind, number, 320)) for number in range(8)]

    assert {line.highest_standing for line in lines} <= {Standing.CLEAR, Standing.WATCHED}
    assert all(line.score < 1.0 for line in lines)


@pytest.mark.parametrize("kind", build.THIEVES, ids=lambda kind: kind.name)
def test_labels_alone_are_enough(kind: Kind) -> None:
    """A thief who is given labels without probabilities is blocked too."""
    life = build.life(kind, 0, 208)
    line = _line(build.queries("label only", life.input, life.label))

    assert line.first_block_at_query is not None


def test_a_cold_population_blocks_nobody() -> None:
    """With few clients known, verdicts are in shadow and do not count as blocks."""
    detector = Detector(Policy(shadow=True), {build.MODEL: build.population()})
    verdicts = detector.assess(build.life(build.THIEVES[0], 0, 64))

    assert [verdict.shadow for verdict in verdicts] == [True] * len(verdicts) != []
    assert next(detector.clients()).first_block_at_query is None


def test_evidence_reads_well() -> None:
    """A verdict says in a sentence with numbers what was seen and what is ordinary."""
    detector = Detector(Policy(), {build.MODEL: build.population()})
    verdict = detector.assess(build.life(build.THIEVES[0], 0, 64))[0]

    assert verdict.evidence[0].kind == "line"
    assert "halfway between two queries" in verdict.evidence[0].because
    assert "ordinary clients: at most" in verdict.reason
    assert verdict.leakage is None or 0 <= verdict.leakage <= 1


@pytest.mark.parametrize("what", ["one answer", "constant input", "many labels", "no input", "opaque"])
def test_odd_clients_neither_crash_nor_block(what: str) -> None:
    """Constant inputs, equal answers, 100,000 classes and answers without input lead to no block."""
    random = np.random.default_rng(5)
    life = build.life(honest.KINDS[0], 3, 160)
    inputs = np.ones_like(life.input) if what == "constant input" else life.input
    label = {
        "one answer": np.zeros(160, np.int64),
        "many labels": random.integers(0, 100_000, 160),
        "opaque": np.full(160, -1),
    }.get(what, life.label)
    line = _line(build.queries(what, None if what == "no input" else inputs, label))

    assert line.first_block_at_query is None
