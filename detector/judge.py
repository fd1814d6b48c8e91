"""Judge: from closed windows to how much speaks against each client, and what that calls for.

One loop takes window after window until one of them calls for something; the caller acts on it and goes on
from there, so that the verdict tells what was known at that window and no later one.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import evidence, leakage
from detector.compiled import lean
from detector.evidence import Reading, Thresholds
from detector.policy import Policy
from detector.population import Population
from detector.signals import EVENTS, KINDS, SIGNALS, SPANS
from detector.signals.base import Counts
from detector.standing import Push
from detector.windows import Closed

PUSHES: Final = (None, Push.WATCH, Push.SUSPECT, Push.CONFIRM, Push.EXPIRY, Push.BUDGET)
_EXPIRED: Final = PUSHES.index(Push.EXPIRY)
_WATCHED: Final = PUSHES.index(Push.WATCH)
_SPENT: Final = PUSHES.index(Push.BUDGET)
_LN2: Final = float(np.log(2.0))
_FACTOR_MAX: Final = 3.0
"""Times a ceiling's odds that a client must show lately. A new honest kind whose events come a little above the
ceilings passes any bound in time: with odds up to 2.6 times theirs, where pool thieves show 3 times and more
(docs/decisions/0017 and 0022). Of mechanisms it is asked only of clients older than the population's."""
_STARTS: Final = np.array([SPANS[kind][1] for kind in KINDS])
_STOPS: Final = np.array([SPANS[kind][2] for kind in KINDS])
_GROUPS: Final = [signal.events[0].group for signal in SIGNALS]
_MECHANISM: Final = np.array([group == "P" for group in _GROUPS])
_ANSWERED: Final = np.array([group == "A" for group in _GROUPS])  # a replaced model breaks them all: they count as one
_EVIDENT: Final = np.array([group != "O" for group in _GROUPS])  # oddity may raise suspicion, never block


class _State(NamedTuple):
    """Columns of the table that weighing reads and writes."""

    age: Any
    standing: Any
    episode: Any
    expires: Any
    spent: Any
    hits: Any
    trials: Any
    lately_hits: Any
    lately_trials: Any
    process: Any
    strong: Any
    strong_peak: Any
    level: Any
    peak: Any
    decisive: Any


class _Rules(NamedTuple):
    """The ceilings f8[E] (NaN: not in force) and the bounds of episode 0 in nats."""

    p0: npt.NDArray[np.float64]
    strong: npt.NDArray[np.float64]
    watch: float
    one: float
    pair: float
    alone: float
    gated: bool
    budget: float  # leakage at which it is used up; NaN: none
    oldest: float  # windows of the longest life in the population


class Judge:
    """One population's ceilings under one policy."""

    def __init__(self, population: Population, policy: Policy) -> None:
        bounds = evidence.thresholds(policy.alpha, 0, len(KINDS))
        strong = [population.strong.get(event.name, np.nan) if event.strong else np.nan for event in EVENTS]
        self._alpha = policy.alpha
        self._seen = (population, policy.window)
        self._rules = _Rules(
            p0=np.array([population.ceilings.get(event.name, np.nan) for event in EVENTS]),
            strong=np.array(strong),
            watch=policy.watch,
            one=bounds.one,
            pair=bounds.pair,
            alone=bounds.strong,
            gated=population.gated,
            budget=leakage.budget(population, policy),
            oldest=max(population.oldest / policy.window, 1.0),
        )

    def weigh(self, state: Any, closed: Closed, time: npt.NDArray[np.int64], start: int) -> tuple[int, Push | None]:
        """Weigh windows from `start` on; return the first that calls for something, and for what.

        An expiry is called for before the window is weighed. (len(closed), None): nothing more.
        """
        at, push = _run(state, self._rules, (closed.slot, closed.hits, closed.trials, closed.leakage, time), start)
        return at, PUSHES[push]

    def bounds(self, episode: int) -> Thresholds:
        """Return the bounds in force in a client's episode."""
        return evidence.thresholds(self._alpha, episode, len(KINDS))

    def score(self, columns: dict[str, npt.NDArray[Any]], slot: int, episode: int) -> float:
        """Return 0..1: half for the strongest kind on its way to suspicion, half for the way to a block.

        1 is reached exactly when a block's bound is passed.
        """
        bounds, peaks = self.bounds(episode), columns["peak"][slot]
        pair = self._second(columns["decisive"][slot]) / bounds.pair
        alone = _most(columns["strong_peak"][slot]) / bounds.strong
        if max(pair, alone) >= 1.0:
            return 1.0
        return 0.5 * min(_most(peaks) / bounds.one, 1.0) + 0.5 * max(pair, alone)

    def against(self, columns: dict[str, npt.NDArray[Any]], slots: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Tell of which clients b1[m] the score is above 0."""
        return np.asarray((columns["peak"][slots] > 0).any(axis=1) | (columns["strong_peak"][slots] > 0).any(axis=1))

    def _second(self, peaks: npt.NDArray[np.float64]) -> float:
        """Return the evidence of the weaker kind of the best pair that may block."""
        first, second, mechanism = _ranked(peaks)
        if not self._rules.gated or mechanism >= first:
            return float(second)
        return float(mechanism)

    def readings(self, columns: dict[str, npt.NDArray[Any]], slot: int, least: float) -> tuple[Reading, ...]:
        """Return what speaks against a client, strongest first: kinds with at least `least` nats."""
        peaks = columns["peak"][slot]
        order = [at for at in np.argsort(-peaks, kind="stable").tolist() if peaks[at] >= least]
        return tuple(self._reading(columns, slot, at) for at in order)

    def _reading(self, columns: dict[str, npt.NDArray[Any]], slot: int, at: int) -> Reading:
        signal = SIGNALS[at]
        span = slice(*SPANS[signal.name][1:])
        process = columns["process"][slot, span].max(axis=1)
        counts = Counts(
            hits=columns["hits"][slot, span],
            trials=columns["trials"][slot, span],
            ceiling=self._rules.p0[span],
            strongest=int(np.argmax(process)),
            population=self._seen[0],
            window=self._seen[1],
        )
        value = round(float(columns["peak"][slot, at]), 2)
        return Reading(signal.name, signal.name, value, signal.because(counts))


def state(head: dict[str, npt.NDArray[Any]], columns: dict[str, npt.NDArray[Any]]) -> Any:
    """Return the columns that `Judge.weigh` moves."""
    return _State(*(columns[name] if name in columns else head[name] for name in _State._fields))


@lean
def _run(state: _State, rules: _Rules, closed: Any, start: int) -> tuple[int, int]:
    slots, hits, trials, learnt, time = closed
    for at in range(start, slots.shape[0]):
        slot = slots[at]
        if state.standing[slot] > 0 and time[at] >= state.expires[slot]:
            return at, _EXPIRED
        _weigh(state, rules, slot, hits[at], trials[at])
        push = _called_for(state, rules, slot)
        if push > state.standing[slot]:
            return at, push
        if state.standing[slot] <= _WATCHED and state.spent[slot] == 0 and learnt[at] >= rules.budget:
            return at, _SPENT
    return slots.shape[0], 0


@lean
def _weigh(state: _State, rules: _Rules, slot: int, hits: Any, trials: Any) -> None:
    state.age[slot] += 1
    window = state.age[slot]
    kept = np.exp(-1.0 / rules.oldest)
    for event in range(hits.shape[0]):
        count, tried = int(hits[event]), int(trials[event])
        state.hits[slot, event] += count
        state.trials[slot, event] += tried
        state.lately_hits[slot, event] = kept * state.lately_hits[slot, event] + count
        state.lately_trials[slot, event] = kept * state.lately_trials[slot, event] + tried
        if not np.isnan(rules.p0[event]):
            evidence.advance(state.process[slot, event], count, tried, rules.p0[event], window)
        if not np.isnan(rules.strong[event]):
            strong = state.strong[slot, event]
            evidence.advance(strong, count, tried, rules.strong[event], window)
            state.strong_peak[slot, event] = max(state.strong_peak[slot, event], evidence.log_mean(strong))
    for kind in range(_STARTS.shape[0]):
        level = _level(state.process[slot], rules.p0, _STARTS[kind], _STOPS[kind])
        state.level[slot, kind] = level
        state.peak[slot, kind] = max(state.peak[slot, kind], level)
        if level > state.decisive[slot, kind] and _frequent(state, rules, slot, kind):
            state.decisive[slot, kind] = level


@lean
def _frequent(state: _State, rules: _Rules, slot: int, kind: int) -> bool:
    """Tell whether hits of the kind's strongest event have lately been frequent enough for a block to rest on.

    The odds of a hit must be _FACTOR_MAX times the ceiling's. Of mechanisms, which honest clients hardly show, more
    than the ceiling is asked only beyond lives as long as the population's, and all of it from twice that age on.
    """
    factor = _FACTOR_MAX
    if _MECHANISM[kind]:
        factor = min(2.0 * state.age[slot] / rules.oldest - 1.0, _FACTOR_MAX)
    if factor <= 1.0:
        return True
    strongest, top = _STARTS[kind], -np.inf
    for event in range(_STARTS[kind], _STOPS[kind]):
        found = evidence.log_mean(state.process[slot, event])
        if found > top:
            strongest, top = event, found
    hits, p0 = state.lately_hits[slot, strongest], rules.p0[strongest]
    return bool(hits * (1.0 - p0) >= factor * p0 * (state.lately_trials[slot, strongest] - hits))


@lean
def _level(process: Any, p0: Any, start: int, stop: int) -> float:
    """Return the log of the mean of a kind's e-processes; events that are not in force do not count."""
    top, total, count = -np.inf, 0.0, 0
    for event in range(start, stop):
        top = max(top, evidence.log_mean(process[event]))
    for event in range(start, stop):
        if not np.isnan(p0[event]):
            count += 1
            total += np.exp(evidence.log_mean(process[event]) - top) if top > -np.inf else 0.0
    return top + np.log(total / count) if total > 0 else -np.inf


@lean
def _called_for(state: _State, rules: _Rules, slot: int) -> int:
    stricter = state.episode[slot] * _LN2
    peaks, bound = state.peak[slot], rules.pair + stricter
    if _most(state.strong_peak[slot]) >= rules.alone + stricter or pair(state.decisive[slot], bound, rules.gated):
        return 3
    most = _most(peaks)
    if most >= rules.one + stricter:
        return 2
    return 1 if most >= rules.watch else 0


@lean
def _ranked(peaks: Any) -> tuple[float, float, float]:
    """Return the most evidence of a kind that may block, the second most, and that of a mechanism.

    Kinds that rest on answers count as one.
    """
    first, second, mechanism, answered = -np.inf, -np.inf, -np.inf, -np.inf
    for kind in range(peaks.shape[0]):
        if _MECHANISM[kind]:
            mechanism = max(mechanism, peaks[kind])
        if _ANSWERED[kind]:
            answered = max(answered, peaks[kind])
        elif _EVIDENT[kind]:
            second = max(second, min(first, peaks[kind]))
            first = max(first, peaks[kind])
    second = max(second, min(first, answered))
    return max(first, answered), second, mechanism


@lean
def _most(values: Any) -> float:
    most = -np.inf
    for value in values:
        most = max(most, value)
    return most


@lean
def pair(peaks: Any, bound: float, gated: bool) -> bool:
    """Tell whether two kinds, oddity apart, pass the bound; while gated, one of them must be a mechanism."""
    kinds, answered, mechanisms = 0, 0, 0
    for kind in range(peaks.shape[0]):
        if peaks[kind] >= bound and _EVIDENT[kind]:
            kinds += not _ANSWERED[kind]
            answered = max(answered, _ANSWERED[kind])
            mechanisms += _MECHANISM[kind]
    return kinds + answered > 1 and (mechanisms > 0 or not gated)
