"""Leakage: calibrated, null where nothing can be known, and a budget that is told of once and never blocks."""

import functools
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from detector import leakage
from detector.decision import Action
from detector.detector import ClientLine, Detector
from detector.policy import BadPolicy, Policy, parse
from detector.population import Population
from detector.query import Queries, join
from detector.standing import Cause, Standing
from detector.verdict import Feedback, Snapshot, Verdict
from gamekeeper.demo import honest
from tests.detector import build

COUNT = 112
KINDS = (honest.KINDS[0], honest.KINDS[2], honest.KINDS[4], build.THIEVES[0])
TIGHT = "[leakage]\nbudget = 0.5\naction = 'throttle'\n"
FEW = settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes


def detector(policy: str = "", population: Population | None = None) -> Detector:
    """Return a detector that has seen nothing."""
    return Detector(parse(policy), {build.MODEL: population or build.population()})


def figure(queries: Queries, population: Population | None = None) -> float | None:
    """Return what the only client of the queries has learnt."""
    watcher = detector(population=population)
    watcher.assess(queries)
    return next(watcher.clients()).leakage


@functools.cache
def stream() -> Queries:
    """Return the queries of four clients, interleaved."""
    lives = [build.life(kind, 11, COUNT) for kind in KINDS]
    whole = join([replace(life, place=life.place + 1_000 * at) for at, life in enumerate(lives)])
    return whole.take(np.arange(COUNT * len(KINDS)).reshape(len(KINDS), COUNT).T.ravel())


Told = tuple[list[Verdict], list[ClientLine]]


def told(watcher: Detector, verdicts: list[Verdict]) -> Told:
    """Return all that was said, whatever the order of clients."""
    verdicts = sorted(verdicts, key=lambda verdict: (verdict.client, verdict.serial))
    return verdicts, sorted(watcher.clients(), key=lambda line: line.client)


@functools.cache
def oracle() -> Told:
    """Return what is said when all comes in one batch."""
    watcher = detector(TIGHT)
    return told(watcher, watcher.assess(stream()))


@FEW
@given(st.lists(st.integers(1, 4 * COUNT - 1), min_size=1, max_size=6, unique=True))
def test_batches_eviction_and_restart_change_nothing(stops: list[int]) -> None:
    """Any split, with every client forgotten and restored in a new process at each, gives the same figures."""
    stored: dict[str, Snapshot] = {}
    watcher, verdicts = detector(TIGHT), []
    for start, end in zip([0, *sorted(stops)], [*sorted(stops), len(stream())], strict=True):
        part = stream().take(slice(start, end))
        watcher.restore([stored[name] for name in watcher.strangers(part) if name in stored])
        verdicts += watcher.assess(part)
        stored |= {held.client: held for held in watcher.changed()}
        watcher = detector(TIGHT)
    watcher.restore(stored.values())

    assert told(watcher, verdicts) == oracle()


def test_the_oracle_says_something() -> None:
    """Budgets are used up and figures differ among what the property compares."""
    verdicts, lines = oracle()

    assert Cause.BUDGET in {verdict.cause for verdict in verdicts}
    assert len({line.leakage for line in lines}) == len(KINDS)


def _copy(queries: Queries) -> float:
    """Return how often a copy trained on the queries agrees with the model on images that no such client sends."""
    assert queries.input is not None
    tested = build.parts().warm_up.images.reshape(-1, build.SIZE)
    if len(np.unique(queries.label)) == 1:
        return float(np.mean(build.victim().predict(tested) == queries.label[0]))
    copy = MLPClassifier((128,), max_iter=200, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        copy.fit(queries.input, queries.label)
    return float(np.mean(copy.predict(tested) == build.victim().predict(tested)))


def test_the_figure_is_what_a_copy_would_reach() -> None:
    """Honest clients of several kinds and lengths: within 0.1 of a neural network on average, and in the same order."""
    kinds, lengths = (honest.KINDS[at] for at in (0, 1, 2, 4)), (32, 96, 300)
    lives = [build.life(kind, 21, count) for kind in kinds for count in lengths]
    found = np.array([figure(life) for life in lives], np.float64)
    true = np.array([_copy(life) for life in lives])

    assert np.mean(np.abs(found - true)) < 0.1
    assert np.corrcoef(found, true)[0, 1] > 0.9


def test_it_grows_with_queries_and_not_with_repeats() -> None:
    """More ordinary queries teach more; the same one again and again teaches one answer."""
    life = build.life(honest.KINDS[0], 5, 300)
    short, long = figure(life.take(slice(0, 32))), figure(life)
    again = replace(life.take(np.zeros(200, np.intp)), id=life.id[:200])
    repeated = figure(again)

    assert short is not None
    assert long is not None
    assert repeated is not None
    assert repeated < 0.3 < short < long


def test_null_where_nothing_can_be_known() -> None:
    """No population, no reservoir, no labels, hardly any queries: no figure."""
    life, population = build.life(honest.KINDS[0], 5, 64), build.population()
    without = {name: array for name, array in population.arrays.items() if not name.startswith("reservoir")}
    cold = Detector(Policy(), {})
    cold.assess(life)

    assert next(cold.clients()).leakage is None
    assert figure(life, replace(population, arrays=without)) is None
    assert figure(replace(life, label=np.full(64, -1))) is None
    assert figure(life.take(slice(0, 7))) is None


def test_queries_without_inputs_are_bounded_by_the_curve() -> None:
    """What is not in the record is counted as so many ordinary queries, the most that they can teach."""
    blind = figure(build.queries("blind", None, [1, 2] * 50))

    assert blind == round(float(leakage.bound(build.population(), 100)), 3)


def test_answers_of_which_the_population_knows_nothing_teach_nothing_of_it() -> None:
    """Labels beyond the population's, as after a change of the model, agree with no point."""
    life = build.life(honest.KINDS[0], 5, 64)

    assert figure(replace(life, label=life.label + 100_000)) == 0.0


def test_a_used_up_budget_is_told_of_once() -> None:
    """An ordinary client becomes watched, stays so, and is throttled where the policy says so; never suspected."""
    watcher, life = detector(TIGHT), build.life(honest.KINDS[0], 6, 300)
    verdicts = watcher.assess(life)
    line = next(watcher.clients())

    assert [(verdict.cause, verdict.previous, verdict.standing) for verdict in verdicts] == [
        (Cause.BUDGET, Standing.CLEAR, Standing.WATCHED)
    ]
    assert verdicts[0].action is line.action is Action.THROTTLE
    assert verdicts[0].seconds == Policy().durations.longest
    assert "of the model" in verdicts[0].reason
    assert verdicts[0].evidence == ()


def test_a_person_has_the_last_word() -> None:
    """After a lift the budget is not told of again, however much more is learnt."""
    watcher, life = detector(TIGHT), build.life(honest.KINDS[0], 6, 300)
    watcher.assess(life.take(slice(0, 200)))
    lifted = watcher.hear(Feedback(life.clients[0], build.MODEL, "lift", int(life.time[199])))

    assert [(verdict.cause, verdict.action) for verdict in lifted] == [(Cause.LIFT, Action.ALLOW)]
    assert watcher.assess(life.take(slice(200, None))) == []


def test_by_default_ordinary_clients_keep_clear_of_the_budget() -> None:
    """Clients as old as the past's have learnt what the past's had; nobody is told."""
    lives = [build.life(kind, 31, build.PAST_QUERIES) for kind in build.PLAIN]
    watcher = detector()

    assert [verdict for life in lives for verdict in watcher.assess(life) if verdict.cause is Cause.BUDGET] == []


def test_no_curve_no_budget() -> None:
    """A population that could not learn the curve has no budget; the figure is then the cheap copy's own agreement."""
    arrays = {name: array for name, array in build.population().arrays.items() if not name.startswith("leakage")}
    watcher = detector(TIGHT, replace(build.population(), arrays=arrays))

    assert watcher.assess(build.life(honest.KINDS[0], 6, 300)) == []
    assert (next(watcher.clients()).leakage or 0) > 0.5


@pytest.mark.parametrize("text", ["action = 'block'", "budget = 0.0", "budget = 1.5", "budgets = 0.5"])
def test_policy_refuses_what_leakage_must_not(text: str) -> None:
    """Nobody is blocked by leakage alone; a budget is a share."""
    with pytest.raises(BadPolicy, match="leakage"):
        parse(f"[leakage]\n{text}\n")
