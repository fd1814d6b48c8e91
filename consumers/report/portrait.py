"""What a report tells of a client with one model: the sentence, the curves, the readings, the map, the examples."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from consumers.report import examples
from consumers.report.charts.bars import bars
from consumers.report.charts.course import course
from consumers.report.charts.curve import Mark, curve
from consumers.report.charts.map import map_, said
from consumers.report.charts.strip import strip
from consumers.report.examples import Example
from consumers.report.inputs import Inputs, Key
from consumers.report.lead import lead
from consumers.report.places import places
from consumers.report.recalled import Pair, Recalled, near_pairs, recall
from consumers.report.reckoning import Reckoning, reckon
from consumers.report.usual import of_whom, usuals
from consumers.store.cases import Case
from consumers.store.reads import ClientLine, VerdictLine
from detector import leakage
from detector.names import Name
from detector.policy import Policy
from detector.population import Population
from detector.wire.ids import OPAQUE

CURVE_POINTS = 40  # of the leakage of ordinary use


class Memory(NamedTuple):
    """What the detector remembers of a client, and what it was seen through."""

    recalled: Recalled
    near: Sequence[Pair]  # its near pairs
    population: Population
    policy: Policy


def memory(case: Case, model: str) -> Memory | str:
    """Return what is remembered of a client with a model, or why nothing is."""
    held = case.memories.get(model)
    if held is None:
        return "the detector's memory of this client is not stored"
    population, policy = case.populations.get(held.population), case.policies.get(held.policy)
    if population is None or policy is None:
        return "the population or the policy that it was judged under is not stored"
    recalled = recall(held)
    if recalled is None:
        return "another version wrote the memory of this client"
    return Memory(recalled, near_pairs(recalled, population), population, policy)


def named(case: Case) -> dict[Key, int]:
    """Return the queries that a report names, by key, with their times: what records may be asked for."""
    found: dict[Key, int] = {}
    for line in case.shown.lines:
        held = memory(case, line.model)
        found |= examples.named(line.model, [*_pairs(held), *_flat(examples.of_evidence(case, line.model))])
    return found


def portrait(line: ClientLine, case: Case, inputs: Inputs | None, now: datetime) -> dict[str, Any]:
    """Return what the template says of one model; verdicts newest first. `inputs` None: no records were asked."""
    verdicts = [verdict for verdict in case.shown.verdicts if verdict.model == line.model]
    held = memory(case, line.model)
    pairs, told = _pairs(held), examples.of_evidence(case, line.model)
    queries = examples.named(line.model, [*pairs, *_flat(told)])
    if inputs is not None and isinstance(held, Memory):
        looked = examples.illustrated(line.model, chain(pairs, _flat(told)), inputs, held.population)
        pairs = [next(looked) for _ in pairs]
        told = [[[next(looked) for _ in reading] for reading in verdict] for verdict in told]
    reckoned = [(one, reckon(one, case.policies.get(one.policy))) for one in verdicts]
    return {
        "line": line,
        "lead": lead(line, verdicts, case.shown.decisions, now),
        "verdicts": [(one, how, _bars(one, how), shown) for (one, how), shown in zip(reckoned, told, strict=True)],
        "pairs": pairs,
        "named": queries,
        **_curves(line, verdicts, held),
        **_beside(held),
    }


def _curves(line: ClientLine, verdicts: Sequence[VerdictLine], held: Memory | str) -> dict[str, Any]:
    """Return course, score and leakage, each None where no verdict tells it."""
    oldest_first = [(one.queries, one) for one in reversed(verdicts)]
    scores = [(queries, score) for queries, one in oldest_first for score in _scores(one)]
    leaked = [(queries, one.leakage) for queries, one in oldest_first if one.leakage is not None]
    moves = [(one.at, one.standing, one.queries) for _, one in oldest_first]
    return {
        "course": course(moves, line.at) if moves else None,
        "score": curve("Score", scores, line.queries, [Mark("suspects lie above", 0.5), Mark("block", 1.0)])
        if scores
        else None,
        "leakage": curve("Leakage", leaked, line.queries, *_taught(line, held)) if leaked else None,
    }


def _scores(verdict: VerdictLine) -> list[float]:
    """Return the score of a verdict; where it clears the client evidence starts afresh, and the score falls to 0."""
    return [verdict.score, 0.0] if verdict.standing == "clear" else [verdict.score]


def _taught(line: ClientLine, held: Memory | str) -> tuple[list[Mark], list[tuple[float, float]]]:
    """Return the budget of leakage, and what ordinary questions teach; nothing where the population can't tell."""
    if isinstance(held, str) or "leakage_curve" not in held.population.arrays:
        return [], []
    budget = leakage.budget(held.population, held.policy)
    first = float(held.population.arrays["leakage_curve"][0, 0])  # of fewer queries nothing was learnt
    counts = np.linspace(min(first, line.queries), line.queries, CURVE_POINTS).tolist()
    return [Mark("budget", budget)], [(count, float(leakage.bound(held.population, count))) for count in counts]


def _beside(held: Memory | str) -> dict[str, Any]:
    """Return how the client lies beside ordinary ones: strips and the map, or why there are none."""
    if isinstance(held, str):
        return {"unknown": held, "strips": [], "map": None, "seen": "", "of": ""}
    recalled, pairs, population, policy = held
    spots = places(recalled, population)
    labels = _answers(recalled)
    return {
        "unknown": None,
        "strips": [(one, strip(one)) for one in usuals(recalled, population, policy.window)],
        "map": None if spots is None else map_(spots, labels, pairs),
        "seen": "" if spots is None else said(spots, pairs),
        "of": of_whom(population),
    }


def _pairs(held: Memory | str) -> list[Example]:
    if isinstance(held, str):
        return []
    return examples.of_pairs(held.recalled, held.near)


def _flat(told: Sequence[Sequence[Sequence[Example]]]) -> list[Example]:
    return [one for verdict in told for reading in verdict for one in reading]


def _answers(recalled: Recalled) -> list[str]:
    """Return each query's answer for the legend; of answers that were texts only a code is kept."""
    texts = sorted({label for label in recalled.label.tolist() if label >= OPAQUE})
    return [_answer(name, label, texts) for name, label in zip(recalled.called, recalled.label.tolist(), strict=True)]


def _answer(name: Name, label: int, texts: Sequence[int]) -> str:
    if name.label is not None:
        return str(name.label)
    return "not known" if label < 0 else f"text {texts.index(label) + 1}"


def _bars(verdict: VerdictLine, how: Reckoning) -> Markup | None:
    values = [(one.signal, one.value) for one in verdict.evidence if one.value is not None]
    return bars(values, None if how.bounds is None else how.bounds.one) if values else None
