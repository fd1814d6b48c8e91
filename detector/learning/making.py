"""Making a population: two passes over the past, the first only to find who must not teach."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from detector import evidence, geometry
from detector.learning import answers, copies, kinds, notes, poison, reference, stages
from detector.learning.answers import Ask
from detector.learning.past import LearnError, Span, bounded, gather, without
from detector.learning.reference import Reference
from detector.learning.stages import Draft, Pass, Progress
from detector.policy import Policy
from detector.population import QUERIES_MIN, Population
from detector.query import Queries, Shape
from detector.signals import KINDS

NO_SHAPE: Final[Shape] = ()
ORDINARY: Final = "false-positive"  # what a person calls a client that teaches, whatever it looks like


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may say about learning."""

    policy: Policy = field(default_factory=Policy)
    said: Mapping[str, str] = field(default_factory=dict)  # of clients: ORDINARY, or why they must not teach
    ask: Ask | None = None  # the model itself, for the true answers to what nobody asked
    reference: Reference | None = None  # inputs known to be in the model's domain


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
    said = {client: options.said[client] for client in whole.clients if client in options.said}
    ordinary = {client for client, what in said.items() if what == ORDINARY}
    past = bounded(without(whole, said.keys() - ordinary))
    if len(past) == 0:
        raise LearnError("every client of this model was left out: nothing to learn from")
    blank = _blank(past, shape, span)
    with threadpool_limits(limits=1):  # threads add up in any order
        asked: list[int] = []
        how = _how(past, options, asked)
        progress("looking for clients who must not teach", 0.0)
        aside, too_many = _unusual(past, ordinary, blank, how, progress)
        past = without(past, aside)
        progress("learning from the rest", 0.5)
        draft = stages.run(past, blank, how, lambda what, done: progress(what, 0.5 + 0.4 * done))
        progress("copying the model", 0.9)
        learnt = copies.learn(past, draft.population)
    population = _described(past, learnt)
    lives = np.bincount(past.client)
    told = notes.Told(draft, how, lives[lives > 0], tuple(aside), tuple(too_many), Counter(said.values()), sum(asked))
    progress("done", 1.0)
    return replace(population, notes=notes.sentences(population, told))


def _how(past: Queries, options: Options, asked: list[int]) -> Pass:
    model = None if options.ask is None else answers.recognised(past, _counted(options.ask, asked))
    given = None if options.reference is None else reference.prepared(options.reference, past, model)
    return Pass(options.policy, model=model, reference=given)


def _counted(ask: Ask, asked: list[int]) -> Ask:
    """Return the same function; `asked` grows by how many questions are put each time."""

    def counted(inputs: geometry.Floats) -> geometry.Floats:
        asked.append(len(inputs))
        return ask(inputs)

    return counted


def _unusual(
    past: Queries, ordinary: Collection[str], blank: Population, how: Pass, progress: Progress
) -> tuple[list[str], list[str]]:
    """Return the clients to set aside, and those who look the same but are too many to be poison.

    Whom a person called `ordinary` is neither.
    """
    clients = np.unique(past.client)
    if len(clients) < poison.CLIENTS_MIN:
        return [], []
    company = _company(past, blank)
    # The model is not asked yet: this pass only tells who must not teach, and each question has its price.
    quick = replace(how, spare=poison.SPARE, model=None)
    first: Draft = stages.run(company, blank, quick, lambda what, done: progress(what, done / 2))
    group, asked = stages.lives_of(past, first.population, how.policy)
    bounds = evidence.thresholds(how.policy.alpha, 1, len(KINDS))
    found = asked[poison.blocked(group, first.ceilings, bounds, gated=first.population.gated)]
    suspects = [past.clients[at] for at in found if past.clients[at] not in ordinary]
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
