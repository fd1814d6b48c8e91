"""Verdicts over time: expiry, lifts, episodes and what the same evidence may not do twice."""

from dataclasses import replace

import numpy as np

from detector.detector import Detector
from detector.policy import Policy
from detector.query import Queries
from detector.standing import Cause, Standing
from detector.verdict import Feedback
from gamekeeper.demo import honest
from tests.detector import build

DAY = 86_400 * build.SECOND


def detector() -> Detector:
    """Return a detector with the default policy."""
    return Detector(Policy(), {build.MODEL: build.population()})


def then(first: Queries, second: Queries, later: int) -> Queries:
    """Return `second` as the same client's queries, `later` µs after `first`."""
    return replace(second, clients=first.clients, time=second.time + later, place=second.place + 10_000)


def test_a_block_expires_and_an_honest_life_stays_clear() -> None:
    """After its time a block ends at the next closed window, and the old evidence blocks no more."""
    watcher, theft = detector(), build.life(build.THIEVES[0], 1, 24)
    honest_life = then(theft, build.life(honest.KINDS[0], 1, 160), 2 * DAY)
    blocked, ended = watcher.assess(theft), watcher.assess(honest_life)

    assert [verdict.standing for verdict in blocked] == [Standing.CONFIRMED]
    assert [(verdict.standing, verdict.cause, verdict.episode) for verdict in ended] == [
        (Standing.CLEAR, Cause.EXPIRY, 1)
    ]
    assert ended[0].serial == blocked[0].serial + 1


def test_a_thief_who_goes_on_is_blocked_again_for_longer() -> None:
    """New evidence after an expiry leads to a block of the next episode, twice as long."""
    watcher, theft = detector(), build.life(build.THIEVES[0], 1, 64)
    first = watcher.assess(theft)
    again = watcher.assess(then(theft, build.life(build.THIEVES[0], 2, 64), 2 * DAY))

    assert [verdict.standing for verdict in again] == [Standing.CLEAR, Standing.CONFIRMED]
    assert (again[1].episode, again[1].seconds) == (2, 2 * first[0].seconds)


def test_lift_forgets_the_open_window() -> None:
    """After a lift, what was asked before it speaks no more, not even the queries of the open window."""
    watcher, theft = detector(), build.life(build.THIEVES[0], 1, 31)
    watcher.assess(theft)
    lifted = watcher.hear(Feedback(theft.clients[0], build.MODEL, "lift", int(theft.time[-1])))
    after = watcher.assess(then(theft, build.life(honest.KINDS[0], 1, 65), build.SECOND))

    assert [(verdict.standing, verdict.cause) for verdict in lifted] == [(Standing.CLEAR, Cause.LIFT)]
    assert after == []


def test_labels_lift_or_do_nothing() -> None:
    """False positives and authorised tests end a standing; a true positive leaves it."""
    for what, heard in (("false-positive", 1), ("authorised-test", 1), ("true-positive", 0)):
        watcher, theft = detector(), build.life(build.THIEVES[0], 1, 16)
        watcher.assess(theft)

        assert len(watcher.hear(Feedback(theft.clients[0], "*", what, int(theft.time[-1])))) == heard


def test_a_new_population_starts_evidence_afresh() -> None:
    """Standing, serial, episode and the count of queries stay when a population comes into force."""
    watcher, theft = detector(), build.life(build.THIEVES[0], 1, 24)
    watcher.assess(theft)
    watcher.adopt(replace(build.population(), until=1))
    line, held = next(watcher.clients()), watcher.changed()[0]

    assert (line.standing, line.queries, held.serial, held.episode) == (Standing.CONFIRMED, 24, 1, 1)
    assert held.population == replace(build.population(), until=1).version
    assert line.score < 1.0


def test_refused_and_repeated_queries_are_counted_not_scored() -> None:
    """Our own 403s and a producer's repeats close no windows."""
    theft = build.life(build.THIEVES[0], 1, 64)
    refused = replace(theft, scored=np.zeros(64, np.bool_))
    repeated = theft.take(np.zeros(64, np.intp))
    for queries in (refused, repeated):
        watcher = detector()

        assert watcher.assess(queries) == []
        assert next(watcher.clients()).queries == 64


def test_without_a_population_queries_are_counted() -> None:
    """A cold model's queries are counted and nothing is judged; the count survives the first population."""
    watcher, theft = Detector(Policy(), {}), build.life(build.THIEVES[0], 1, 64)
    watcher.assess(replace(theft, input=None))
    watcher.adopt(build.population())

    assert next(watcher.clients()).queries == 64


def test_gated_population_needs_a_mechanism() -> None:
    """While the population is gated, evidence about the distribution alone leads to suspicion only."""
    noise = next(kind for kind in build.THIEVES if kind.name == "noise")
    watcher = Detector(Policy(), {build.MODEL: replace(build.population(), gated=True)})
    watcher.assess(build.life(noise, 0, 208))
    line = next(watcher.clients())

    assert line.standing is Standing.SUSPECTED
    assert line.score < 1.0


def test_a_lift_without_a_population() -> None:
    """Where none is in force (yet), a person can lift a standing all the same."""
    detector = Detector(Policy(), {build.MODEL: build.population()})
    detector.assess(build.life(build.THIEVES[0], 4, 40))
    [held] = detector.changed()
    cold = Detector(Policy(), {})
    cold.restore([held])
    [verdict] = cold.hear(Feedback(held.client, build.MODEL, "lift", held.last))
    assert (verdict.previous, verdict.standing, verdict.serial) == (held.standing, Standing.CLEAR, held.serial + 1)
