"""Attacks: how thieves ask. An attack is a function in one of these files and a line here; it asks until it may not."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

import numpy as np

from benchmarks.arena.attacks import adaptive, boundary, generated, pools, synthetic
from benchmarks.arena.attacks.oracle import Exhausted, Loot, Oracle, loot
from benchmarks.arena.data import Random
from benchmarks.arena.stream import Stream, World

Attack: TypeAlias = Callable[[Oracle, Loot, Random], None]

ATTACKS: Final[dict[str, Attack]] = {
    "bisection": boundary.bisection,
    "hop-skip-jump": boundary.hop_skip_jump,
    "boundary": boundary.boundary,
    "finite differences": boundary.finite_differences,
    "equation solving": boundary.equation_solving,
    "uniform noise": generated.uniform,
    "gaussian noise": generated.gaussian,
    "knockoff": pools.knockoff,
    "knockoff adaptive": pools.knockoff_adaptive,
    "copycat": pools.copycat,
    "active thief": pools.active_thief,
    "jbda": synthetic.jbda,
    "t-rnd": synthetic.t_rnd,
    "color": synthetic.color,
    "data-free": generated.data_free,
    "domain active": pools.domain_active,
    "domain random": pools.domain_random,
}
CONTROLS: Final = frozenset({"domain random", "domain active"})
"""Cannot be told from honest use by what they ask: reported, never a target."""
ADAPTIVE: Final[dict[str, Attack]] = {
    "random split": adaptive.random_split,
    "bent": adaptive.bent,
    "decoyed": adaptive.decoyed,
    "in parallel": adaptive.in_parallel,
    "foreign lines": adaptive.foreign_lines,
    "jittered jbda": adaptive.jittered_jbda,
    "sparse jbda": adaptive.sparse_jbda,
    "gaussian seeds": adaptive.gaussian_seeds,
    "blended pool": adaptive.blended_pool,
    "mixup": adaptive.mixup,
    "under the bar": adaptive.under_the_bar,
}
"""Thieves who know the recipe."""


def theft(world: World, name: str, number: int, budget: int, *, labels_only: bool = False) -> Stream:
    """Return one thief's questions, `budget` of them."""
    rng = world.random("thief", name, number, labels_only)
    oracle = Oracle(world, budget, labels_only)
    with suppress(Exhausted):
        (ATTACKS | ADAPTIVE)[name](oracle, loot(world, rng), rng)
    return Stream(
        client=f"{name} {number}{' labels' if labels_only else ''}",
        kind=name,
        inputs=np.concatenate(oracle.asked),
        probabilities=np.concatenate(oracle.answered),
        labels_only=labels_only,
    )
