"""Notes: what a population has to say about how good it is, in sentences for the person who will rely on it."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detector.learning import kinds, poison
from detector.learning.stages import Draft, Pass
from detector.policy import Policy
from detector.population import CLIENTS_MIN, QUERIES_MIN, Population
from detector.signals import EVENTS, ROW

RULE_OF_THREE: Final = 3  # 0 of n seen: the chance is below 3/n with 95 % confidence (Hanley and Lippman-Hand 1983)

ASKED: Final = (
    "virtual queries have the model's own answers, so they also say how often answers change among honest queries "
    "(line, probe)"
)
PARENTS: Final = (
    "virtual queries keep the answer to the query that they are copies of, which need not be the model's; "
    "`learn --model` asks the model itself"
)


LEFT_OUT: Final = {  # what is known of clients that must not teach, in words
    "authorised-test": "labelled authorised-test",
    "left-clear": "that ever left clear",
    "true-positive": "labelled true-positive",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is told about."""

    draft: Draft
    how: Pass
    lives: npt.NDArray[Any]  # i[clients] queries of each client
    aside: Sequence[str]  # clients set aside by the first pass
    too_many: Sequence[str]  # clients who look like thieves but are too many to be poison
    said: Mapping[str, int]  # clients of the records by what is known of them
    asked: int  # questions put to the model itself


def sentences(population: Population, told: Told) -> tuple[str, ...]:
    """Return the notes of a finished population."""
    return (
        *_size(population, told),
        *_promise(population, told.how.policy),
        *_aside(told),
        *_variety(population, told),
        *_drift(told.draft),
        *_events(told.draft),
    )


def _size(population: Population, told: Told) -> Iterator[str]:
    yield (
        f"learnt from {population.clients:,} clients and {population.queries:,} queries; {population.known:,} clients "
        f"asked {QUERIES_MIN} times or more"
    )
    quarter, half, most = (f"{age:,.0f}" for age in np.quantile(told.lives, [0.25, 0.5, 0.75], method="lower"))
    yield (
        f"ages in queries: a quarter of the clients asked {quarter} or fewer, half {half}, three quarters {most}, "
        f"the oldest {population.oldest:,}; what is older is judged as the oldest"
    )
    if population.cold:
        yield (
            f"cold: {CLIENTS_MIN - population.known} more clients with {QUERIES_MIN} queries are needed; "
            "until then every decision of the detector is in shadow"
        )


def _promise(population: Population, policy: Policy) -> Iterator[str]:
    if population.known:
        supported = min(1.0, RULE_OF_THREE / population.known)
        needed = math.ceil(RULE_OF_THREE / policy.alpha)
        yield (
            f"none of its own clients would be blocked; {population.known:,} clients alone support a false-block rate "
            f"of {supported:.2%} at 95 % confidence, the policy's alpha is {policy.alpha:.2%} (to count that far takes "
            f"{needed:,} clients)"
        )


def _aside(told: Told) -> Iterator[str]:
    left_out = {what: number for what, number in told.said.items() if what in LEFT_OUT}
    if left_out:
        why = ", ".join(f"{number:,} {LEFT_OUT[what]}" for what, number in sorted(left_out.items()))
        yield f"clients left out: {sum(left_out.values()):,} ({why})"
    if told.said.get("false-positive"):
        yield f"clients let in whatever they look like: {told.said['false-positive']:,} labelled false-positive"
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


def _variety(population: Population, told: Told) -> Iterator[str]:
    draft, reference = told.draft, told.how.reference
    yield f"{draft.kinds.count} clusters of clients, {draft.kinds.separate} of them clearly apart"
    if told.asked:
        yield f"the model itself was asked {told.asked:,} questions; it gives past inputs the recorded answers"
    if reference is not None:
        answered = int(np.sum(reference.label >= 0))
        yield f"reference data: {len(reference):,} rows joined as a kind of their own, {answered:,} with an answer"
    if draft.virtual:
        yield f"virtual kinds of clients added: {', '.join(draft.virtual)}"
        yield ASKED if told.how.model is not None else PARENTS
    else:
        yield "no virtual kinds of clients: they need inputs, answers and at least 64 ordinary queries"
    if population.gated:
        yield (
            f"gated: fewer than {kinds.KINDS} kinds of clients are clearly apart and none are virtual, so unusual "
            "inputs and answers alone throttle a client but never block it"
        )


def _drift(draft: Draft) -> Iterator[str]:
    """Say when ordinary windows changed: a population of two different times holds for neither."""
    if draft.moves:
        last = datetime.fromtimestamp(max(when for _, when in draft.moves) / 1e6, UTC)
        names = ", ".join(ROW[column] for column, _ in draft.moves)
        yield (
            f"ordinary clients changed within these records ({names}), last noticed {last:%F %H:%M}Z: if the change "
            "is lasting, learn from later records only"
        )


def _events(draft: Draft) -> Iterator[str]:
    by_kind: dict[str, list[str]] = {}
    for event, kind in draft.ceilings.bound_by.items():
        by_kind.setdefault(kind, []).append(event)
    for kind, events in sorted(by_kind.items()):
        yield f"virtual kind {kind} sets the ceilings of {_by_signal(events)}"
    if draft.ceilings.dropped:
        yield f"not used, too usual among ordinary clients: {_by_signal(draft.ceilings.dropped)}"
    if draft.ceilings.untried:
        yield f"not used, nothing in the past could try them: {_by_signal(draft.ceilings.untried)}"


def _by_signal(events: Iterable[str]) -> str:
    """Return events under the signals that they belong to, as the documentation lists them."""
    chosen = set(events)
    by_signal: dict[str, list[str]] = {}
    for event in EVENTS:
        if event.name in chosen:
            by_signal.setdefault(event.kind, []).append(event.name)
    return ", ".join(f"{signal} ({' '.join(names)})" for signal, names in by_signal.items())
