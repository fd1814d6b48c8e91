"""Study: what is stolen from each defended model, and what each defence costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from benchmarks.arena import victim
from benchmarks.arena.data import Labels
from benchmarks.arena.stream import World
from benchmarks.arena.study import step
from benchmarks.arena.victim import Victim
from benchmarks.defended import prepared, thieves
from benchmarks.defended.catalogue import DEFENCES, FLOOR, INDEPENDENT, UNDEFENDED, answering, goals
from benchmarks.defended.copies import Workshop, agreement, workshop
from benchmarks.defended.cost import Cost, cost
from benchmarks.defended.thieves import Haul
from benchmarks.defended.tricks import TRICKS, Case

PLAIN: Final = ""  # no trick
MEMBERS: Final = 3  # models of an ensemble
TRICKED: Final = "knockoff"  # the attack on which tricks are tried
TRIED: Final = {"the victim's architecture": (True, 1.0), "four times the steps": (False, 4.0)}
"""What else a thief could train: whether it takes the victim's architecture, and how many steps more."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is studied."""

    budgets: tuple[int, ...] = (500, 2_000, 10_000)
    attacks: tuple[str, ...] = tuple(thieves.ATTACKS)
    defences: tuple[str, ...] = tuple(DEFENCES)
    patience: float = 1.0  # times the steps of a copy's training
    tried: tuple[int, ...] = (500, 2_000)  # budgets at which other copies are tried


QUICK: Final = Sizes(
    budgets=(200, 500),
    attacks=("knockoff", "active"),
    defences=(UNDEFENDED, "rounded to 1 decimal", FLOOR, "gaussian noise", INDEPENDENT),
    tried=(),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one thief's copy is worth."""

    seed: int
    attack: str
    defence: str
    trick: str
    budget: int
    asked: int
    agreement: float  # with the model, on test inputs
    accuracy: float  # with the true classes


@dataclass(frozen=True, slots=True)
class Scene:
    """One seed: the data with the victim, the ensemble's members (the victim first), the training of copies."""

    world: World
    victims: Sequence[Victim]
    workshop: Workshop
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Target:
    """One defended model before one attack."""

    attack: str
    name: str  # of the defence
    defended: Victim
    goals: Sequence[Labels]  # what a copy is compared with


def run(name: str, seed: int, sizes: Sizes) -> Iterator[Taken | Cost]:
    """Study one data set with one seed. Raises FileNotFoundError where the data set's file is missing."""
    with step(f"{name} {seed}: data and victims"):
        data = prepared.load(name, seed)
        many = MEMBERS if any(DEFENCES[defence].members != "one" for defence in sizes.defences) else 1
        victims = [victim.train(data, seed + 1_000 * member) for member in range(many)]
    yield from studied(Scene(World(data, victims[0], seed), victims, workshop(data, seed, sizes.patience), sizes))


def studied(scene: Scene) -> Iterator[Taken | Cost]:
    """Study a scene: every cost, then every attack on every defended model."""
    data, sizes = scene.world.data, scene.sizes
    with step(f"{data.name} {scene.world.seed}: costs"):
        yield from [cost((name, DEFENCES[name]), scene.victims, data.test, scene.world.seed) for name in sizes.defences]
    for attack in sizes.attacks:
        most = max(budget for budget in sizes.budgets if budget <= thieves.reach(attack, data))
        with step(f"{data.name} {scene.world.seed}: {attack}"):
            plain = thieves.stolen(scene.world, attack, most)
        for name in sizes.defences:
            with step(f"{data.name} {scene.world.seed}: {attack}, {name}"):
                yield from _attacked(scene, _target(scene, attack, name), plain)
        if attack == TRICKED:
            yield from _tried(scene, _target(scene, attack, UNDEFENDED), plain)


def _target(scene: Scene, attack: str, name: str) -> Target:
    defence, inputs = DEFENCES[name], scene.world.data.test.inputs
    return Target(attack, name, answering(defence, scene.victims), goals(defence, scene.victims, inputs))


def _attacked(scene: Scene, target: Target, plain: Haul) -> Iterator[Taken]:
    """Steal with each budget, plainly and with every trick against the defence."""
    whole = thieves.stolen_from(target.defended, scene.world, target.attack, plain)
    for budget in (budget for budget in scene.sizes.budgets if budget <= len(whole.inputs)):
        case = Case(whole.first(budget), DEFENCES[target.name], target.defended, scene.workshop)
        yield _taken(scene, target, case.haul, PLAIN, budget)
        for name, trick in TRICKS.items() if target.attack == TRICKED else ():
            if target.name in trick.against and budget <= trick.up_to:
                haul = trick.turn(case)
                row = _taken(scene, target, haul, name, budget)
                yield replace(row, asked=trick.asks * len(haul.inputs))


def _tried(scene: Scene, target: Target, plain: Haul) -> Iterator[Taken]:
    """Show what other copies of the undefended model would be worth."""
    world, sizes = scene.world, scene.sizes
    for name, (wide, patience) in TRIED.items() if sizes.tried else ():
        other = replace(scene, workshop=workshop(world.data, world.seed, patience * sizes.patience, wide=wide))
        with step(f"{world.data.name} {world.seed}: {name}"):
            yield from [_taken(other, target, plain.first(budget), name, budget) for budget in sizes.tried]


def _taken(scene: Scene, target: Target, haul: Haul, trick: str, budget: int) -> Taken:
    """Train a copy on a haul and tell what it is worth."""
    test = scene.world.data.test
    found = scene.workshop.copy(haul.inputs, haul.answers, test.inputs)
    return Taken(
        seed=scene.world.seed,
        attack=target.attack,
        defence=target.name,
        trick=trick,
        budget=budget,
        asked=len(haul.inputs),
        agreement=float(np.mean([agreement(found, labels) for labels in target.goals])),
        accuracy=agreement(found, test.label),
    )
