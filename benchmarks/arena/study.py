"""Study: what is run, in which order, and how much of it. Streams are made, judged and dropped row by row."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from benchmarks.arena import attacks, data, honest, trial, variants, victim
from benchmarks.arena.attacks.copies import fitted as copied
from benchmarks.arena.freezing import Frozen, Study
from benchmarks.arena.honest import Crowd
from benchmarks.arena.peers.peer import judged
from benchmarks.arena.records import OURS, WITHOUT, Group, Record
from benchmarks.arena.sizes import Sizes, settings
from benchmarks.arena.stream import Stream, World
from benchmarks.arena.trial import Outcome
from benchmarks.arena.variants import COVERS, LENGTHS
from detector.population import Population
from detector.signals import SIGNALS

SYBILS: Final = ("bisection", "hop-skip-jump", "jbda", "knockoff")
OLD: Final = ("iid", "covariate shift", "burst", "augmentation", "what-if", "stress test")
"""Kinds whose very long lives are judged: the guarantee holds at every age."""
FIRST_OLD: Final = 1_000_000  # their numbers: other clients than the rest


@dataclass(frozen=True, slots=True)
class Row:
    """What the streams of one row of a table have in common."""

    seed: int
    group: Group
    kind: str
    variant: str = ""


@dataclass(slots=True)
class Account:
    """What a run says of itself, filled while it goes."""

    worlds: list[dict[str, Any]] = field(default_factory=list)
    queries: int = 0  # judged by the product
    seconds: float = 0.0  # of CPU that this took
    _warm: bool = False

    @property
    def microseconds(self) -> float:
        """CPU time of a query; setting up a detector for each kind of clients is part of it."""
        return 1e6 * self.seconds / max(self.queries, 1)

    def note(self, queries: int, seconds: float) -> None:
        """Count what was judged; the first time, which compiles, is left out."""
        if self._warm:
            self.queries += queries
            self.seconds += seconds
        self._warm = True


def run(name: str, seed: int, sizes: Sizes, account: Account, *, leave_out: bool = False) -> Iterator[Record]:
    """Study one data set with one seed. Raises FileNotFoundError where the data set's file is missing."""
    with step(f"{name} {seed}: data and victim"):
        known = data.load(name, seed)
        world = World(known, victim.train(known, seed), seed)
    study, frozen = Study(world), []
    for setting in settings(known, sizes, leave_out=leave_out):
        with step(f"{name} {seed}: learn {setting.name}"):
            frozen.append(study.freeze(setting))
            account.worlds.append(_described(world, frozen[-1]))
    opened = study.opened()
    yield from _crowds(opened, frozen, sizes, account)
    thieves = [held for held in frozen if held.setting.thieves]
    yield from _old(opened, thieves, sizes)
    for attack in attacks.ATTACKS:
        with step(f"{name} {seed}: {attack}"):
            yield from _attack(opened, thieves, attack, sizes)
    for trick in attacks.ADAPTIVE:
        with step(f"{name} {seed}: {trick}"):
            streams = [attacks.theft(opened, trick, at, sizes.adaptive_life) for at in range(sizes.adaptive)]
            yield from _copied(opened, thieves, (Row(seed, "attack", trick, "adaptive"), streams), sizes.copies)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Tell on stderr how long a step took."""
    started = time.perf_counter()
    yield
    sys.stderr.write(f"{time.perf_counter() - started:7.1f} s  {what}\n")
    sys.stderr.flush()


def _described(world: World, frozen: Frozen) -> dict[str, Any]:
    return {
        "setting": frozen.setting.name,
        "seed": world.seed,
        "accuracy": world.victim.accuracy,
        "population": frozen.version,
        "clients": frozen.population.clients,
        "queries": frozen.population.queries,
        "learn_seconds": frozen.seconds,
        "notes": list(frozen.population.notes),
    }


def _crowds(world: World, frozen: Sequence[Frozen], sizes: Sizes, account: Account) -> Iterator[Record]:
    for kind in honest.kinds(world.data):
        with step(f"{world.data.name} {world.seed}: {kind}"):
            streams = honest.streams(world, Crowd("honest", (kind,), sizes.honest, sizes.lives))
            row = Row(world.seed, "honest", kind)
            for held in (held for held in frozen if kind in held.setting.judged):
                started = time.process_time()
                outcomes = trial.judged(streams, held.population)
                account.note(sum(map(len, streams)), time.process_time() - started)
                yield from _told(row, held, OURS, outcomes)
                yield from _by_peers(held, row, streams[: sizes.peered], sizes.peered_life)


def _old(world: World, frozen: Sequence[Frozen], sizes: Sizes) -> Iterator[Record]:
    for kind in OLD:
        with step(f"{world.data.name} {world.seed}: old {kind}"):
            crowd = Crowd("honest", (kind,), sizes.old, (sizes.old_life, sizes.old_life), FIRST_OLD)
            streams = honest.streams(world, crowd)
            for held in frozen:
                yield from _told(Row(world.seed, "old", kind), held, OURS, trial.judged(streams, held.population))


def _attack(world: World, frozen: Sequence[Frozen], attack: str, sizes: Sizes) -> Iterator[Record]:
    row = Row(world.seed, "attack", attack, "pure")
    pure = [attacks.theft(world, attack, at, LENGTHS["pure"]) for at in range(sizes.thieves)]
    yield from _copied(world, frozen, (row, pure), sizes.copies)
    for held in frozen:
        yield from _by_peers(held, row, pure[: sizes.peered], sizes.peered_life)
        yield from _ablated(held, row, pure[: sizes.ablated])
    for variant, streams in _disguised(world, attack, pure[: sizes.disguised], sizes):
        for held in frozen:
            yield from _told(replace(row, variant=variant), held, OURS, trial.judged(streams, held.population))


def _disguised(
    world: World, attack: str, pure: Sequence[Stream], sizes: Sizes
) -> Iterator[tuple[str, Sequence[Stream]]]:
    """Give each variant's name and streams."""
    numbers = range(len(pure))
    yield "labels", [attacks.theft(world, attack, at, LENGTHS["labels"], labels_only=True) for at in numbers]
    yield "drip", [variants.dripped(stream) for stream in pure]
    for cover in COVERS:
        yield cover, [variants.covered(world, stream, cover) for stream in pure]
    if attack in SYBILS and sizes.sybils:
        long = attacks.theft(world, attack, sizes.thieves, sizes.sybil_life)
        for identities in sizes.sybils:
            yield f"sybil {identities}", variants.dealt(long, identities)


def _copied(
    world: World, frozen: Sequence[Frozen], streams: tuple[Row, Sequence[Stream]], copies: int
) -> Iterator[Record]:
    """Judge thieves, and train copies on what the first of them learnt until their block, and had they had none."""
    row, thefts = streams
    whole = [_agreement(world, stream) for stream in thefts[:copies]]
    for held in frozen:
        told = list(_told(row, held, OURS, trial.judged(thefts, held.population)))
        for stream, record, undefended in zip(thefts, told, whole, strict=False):
            until = _agreement(world, stream.first(record.blocked)) if record.blocked else undefended
            yield replace(record, agreement_at_block=until, agreement_undefended=undefended)
        yield from told[len(whole) :]


def _agreement(world: World, stream: Stream) -> float:
    copy = copied(stream.inputs, stream.label)
    inputs = world.data.test.inputs
    return float(np.mean(copy.names(inputs) == world.victim.ask(inputs).argmax(1)))


def _ablated(frozen: Frozen, row: Row, streams: Sequence[Stream]) -> Iterator[Record]:
    for signal in SIGNALS:
        lesser = _without(frozen.population, {event.name for event in signal.events})
        yield from _told(row, frozen, WITHOUT + signal.name, trial.judged(streams, lesser))


def _without(population: Population, events: set[str]) -> Population:
    """Return the population under which these events are never evaluated."""
    ceilings = {name: value for name, value in population.ceilings.items() if name not in events}
    strong = {name: value for name, value in population.strong.items() if name not in events}
    return replace(population, ceilings=ceilings, strong=strong)


def _by_peers(frozen: Frozen, row: Row, streams: Sequence[Stream], life: int) -> Iterator[Record]:
    for fitted in frozen.peers:
        for name, outcomes in judged(fitted, [stream.first(life) for stream in streams]).items():
            yield from _told(row, frozen, name, outcomes)


def _told(row: Row, frozen: Frozen, judge: str, outcomes: Sequence[Outcome]) -> Iterator[Record]:
    for outcome in outcomes:
        yield Record(
            seed=row.seed,
            setting=frozen.setting.name,
            judge=judge,
            group=row.group,
            kind=row.kind,
            variant=row.variant,
            seen=row.kind in frozen.setting.past.kinds,
            client=outcome.client,
            queries=outcome.queries,
            suspected=outcome.suspected,
            blocked=outcome.blocked,
            because=outcome.because,
        )
