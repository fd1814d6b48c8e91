"""Notes: what a population has to say about how good it is, in sentences for the person who will rely on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from detector.learning import kinds, poison
from detector.learning.stages import Draft
from detector.policy import Policy
from detector.population import CLIENTS_MIN, QUERIES_MIN, Population

RULE_OF_THREE: Final = 3  # 0 of n seen: the chance is below 3/n with 95 % confidence (Hanley and Lippman-Hand 1983)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told about."""

    draft: Draft
    policy: Policy
    aside: Sequence[str]  # clients set aside by the first pass
    too_many: Sequence[str]  # clients who look like thieves but are too many to be poison
    left_out: int  # clients that a person left out


def sentences(population: Population, told: Told) -> tuple[str, ...]:
    """Return the notes of a finished population."""
    return (*_size(population, told.policy), *_variety(population, told.draft), *_aside(told), *_events(told.draft))


def _size(population: Population, policy: Policy) -> Iterator[str]:
    yield (
        f"learnt from {population.clients:,} clients and {population.queries:,} queries; {population.known:,} clients "
        f"asked {QUERIES_MIN} times or more, the oldest {population.oldest:,} times"
    )
    if population.cold:
        yield (
            f"cold: {CLIENTS_MIN - population.known} more clients with {QUERIES_MIN} queries are needed; "
            "until then every decision of the detector is in shadow"
        )
    if population.known:
        supported = min(1.0, RULE_OF_THREE / population.known)
        yield (
            f"none of its own clients would be blocked; {population.known:,} clients alone support a false-block rate "
            f"of {supported:.2%} at 95 % confidence, the policy's alpha is {policy.alpha:.2%}"
        )


def _variety(population: Population, draft: Draft) -> Iterator[str]:
    yield f"{draft.kinds.count} clusters of clients, {draft.kinds.separate} of them clearly apart"
    if draft.virtual:
        yield f"virtual kinds of clients added: {', '.join(draft.virtual)}"
    else:
        yield "no virtual kinds of clients: they need inputs, answers and at least 64 ordinary queries"
    if population.gated:
        yield (
            f"gated: fewer than {kinds.KINDS} kinds of clients are clearly apart and none are virtual, so unusual "
            "inputs and answers alone throttle a client but never block it"
        )


def _aside(told: Told) -> Iterator[str]:
    if told.left_out:
        yield f"{told.left_out:,} clients were left out because they had left clear before"
    if told.aside:
        yield (
            f"{len(told.aside)} clients were set aside because they behave like thieves: {poison.names(told.aside)}; "
            "look at them, and label them if they are ordinary"
        )
    if told.too_many:
        yield (
            f"{len(told.too_many)} clients behave like thieves, too many to be a few poisoned ones; they were learnt "
            f"from as ordinary, look at them: {poison.names(told.too_many)}"
        )


def _events(draft: Draft) -> Iterator[str]:
    by_kind: dict[str, list[str]] = {}
    for event, kind in sorted(draft.ceilings.bound_by.items()):
        by_kind.setdefault(kind, []).append(event)
    for kind, events in by_kind.items():
        yield f"virtual kind {kind} sets the ceilings of {', '.join(events)}"
    if draft.ceilings.dropped:
        yield f"not used, too usual among ordinary clients: {', '.join(draft.ceilings.dropped)}"
    if draft.ceilings.untried:
        yield f"not used, nothing in the past could try them: {', '.join(draft.ceilings.untried)}"
