"""What a report asks beyond `reads.show`: labels with their reasons, and what all was reckoned under."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, select

from consumers.store import checkpoint, policies, populations, reads, schema
from consumers.store.facts import Missing
from consumers.store.reads import Shown
from detector.policy import BadPolicy, Policy
from detector.population import BadPopulation, Population, load
from detector.verdict import Snapshot

POPULATIONS_MAX = 4  # held by a process that writes reports: a page is drawn again and again from the same


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about a client that a report tells. A version that is not stored, or not readable here, is absent."""

    shown: Shown
    feedback: list[Any]  # rows of `feedback`, newest first
    policies: Mapping[str, Policy] = field(default_factory=dict)  # by version: those of verdicts and memory
    memories: Mapping[str, Snapshot] = field(default_factory=dict)  # by model: what the detector remembers of it
    populations: Mapping[str, Population] = field(default_factory=dict)  # by version: those of memory


def case(engine: Engine, client: str, limit: int = 50) -> Case:
    """Return what there is to tell of a client: of each list the newest `limit`. Raises Missing for one never seen."""
    shown, said = reads.show(engine, client, limit), schema.feedback
    with engine.connect() as connection:
        told = select(said).where(said.c.client == client).order_by(said.c.id.desc()).limit(limit)
        feedback = list(connection.execute(told))
    memories = {held.model: held for line in shown.lines for held in checkpoint.load(engine, line.model, [client])}
    reckoned = {one.policy for one in shown.verdicts} | {one.policy for one in memories.values()}
    seen = {one.population for one in memories.values()}
    return Case(shown, feedback, _policies(engine, reckoned), memories, _populations(engine, seen))


def _policies(engine: Engine, versions: Iterable[str]) -> dict[str, Policy]:
    found = {}
    for version in versions:
        with suppress(Missing, BadPolicy):
            found[version] = policies.get(engine, version)
    return found


def _populations(engine: Engine, versions: Iterable[str]) -> dict[str, Population]:
    found = {}
    for version in versions:
        with suppress(Missing, BadPopulation):
            found[version] = _population(engine, version)
    return found


@lru_cache(maxsize=POPULATIONS_MAX)
def _population(engine: Engine, version: str) -> Population:
    [population] = load(populations.get(engine, version)).values()
    return population
