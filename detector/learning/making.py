"""Making a population: two passes over the past, the first only to find who must not teach."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from detector import evidence
from detector.learning import copies, kinds, notes, poison, stages
from detector.learning.past import LearnError, Span, bounded, gather, without
from detector.learning.stages import Draft, Progress
from detector.policy import Policy
from detector.population import QUERIES_MIN, Population
from detector.query import Queries, Shape
from detector.signals import KINDS

NO_SHAPE: Final[Shape] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may say about learning."""

    policy: Policy = field(default_factory=Policy)
    left_out: Collection[str] = ()  # clients that ever left clear: they teach nothing


def _silent(_what: str, _share: float) -> None:
    pass


def learn(
    parts: Sequence[Queries], shape: Shape, options: Options | None = None, progress: Progress = _silent
) -> Population:
    """Return what the ordinary clients of one model teach.

    `parts` are batches of queries of one model, each client's in stream order; `shape` that of one input, () for
    none. The same queries give the same bytes: randomness is seeded by the model's name and sums are taken in one
    thread. `progress` is called with what is being done and how far it is. Raises LearnError when there is nothing
    to learn from. Source: randomised calibration of e-processes on the past, virtual kinds against an unlabelled
    population's blind spots.
    """
    options = options or Options()
    whole, span = gather(parts)
    past = bounded(without(whole, options.left_out))
    if len(past) == 0:
        raise LearnError("every client of this model was left out: nothing to learn from")
    blank = _blank(past, shape, span)
    with threadpool_limits(limits=1):  # threads add up in any order
        progress("looking for clients who must not teach", 0.0)
        aside, too_many = _unusual(past, blank, options.policy, progress)
        past = without(past, aside)
        progress("learning from the rest", 0.5)
        draft = stages.run(past, blank, options.policy, 0, lambda what, done: progress(what, 0.5 + 0.4 * done))
        progress("copying the model", 0.9)
        learnt = copies.learn(past, draft.population)
    told = notes.Told(draft, options.policy, tuple(aside), tuple(too_many), len(options.left_out))
    population = _described(past, learnt)
    progress("done", 1.0)
    return replace(population, notes=notes.sentences(population, told))


def _unusual(past: Queries, blank: Population, policy: Policy, progress: Progress) -> tuple[list[str], list[str]]:
    """Return the clients to set aside, and those who look the same but are too many to be poison."""
    clients = np.unique(past.client)
    if len(clients) < poison.CLIENTS_MIN:
        return [], []
    company = _company(past, blank)
    first: Draft = stages.run(company, blank, policy, poison.SPARE, lambda what, done: progress(what, done / 2))
    group, asked = stages.lives_of(past, first.population, policy)
    bounds = evidence.thresholds(policy.alpha, 1, len(KINDS))
    found = asked[poison.blocked(group, first.ceilings, bounds, gated=first.population.gated)]
    suspects = [past.clients[at] for at in found]
    return (suspects, []) if len(suspects) <= poison.ASIDE_MAX * len(clients) else ([], suspects)


def _company(past: Queries, blank: Population) -> Queries:
    """Return the queries of the clients who have many others like them."""
    profile, profiled = stages.profile(past, blank)
    if len(profiled) < poison.CLIENTS_MIN:
        return past
    alone = profiled[~kinds.core(profile)]
    return without(past, {past.clients[at] for at in alone})


def _blank(past: Queries, shape: Shape, span: Span) -> Population:
    return Population(
        model=past.model,
        shape=shape if past.input is not None else NO_SHAPE,
        clients=0,
        known=0,
        queries=0,
        oldest=0,
        since=span.since,
        until=span.until,
        gated=True,
        numbers={},
        ceilings={},
        strong={},
        arrays={},
    )


def _described(past: Queries, population: Population) -> Population:
    lives = np.bincount(past.client)
    return replace(
        population,
        clients=int(np.sum(lives > 0)),
        known=int(np.sum(lives >= QUERIES_MIN)),
        queries=len(past),
        oldest=int(lives.max(initial=0)),
    )
