"""Sizes: how much is run, and which populations are learnt."""

from dataclasses import dataclass, replace
from typing import Final

from benchmarks.arena import honest
from benchmarks.arena.data import Data
from benchmarks.arena.freezing import Setting
from benchmarks.arena.honest import Crowd


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is run for each seed. Lives are the fewest and the most queries of a client."""

    settings: tuple[str, ...] = ("plain", "rich")
    past: int = 40  # clients of each kind in a population
    past_lives: tuple[int, int] = (50, 400)
    rich_lives: tuple[int, int] = (50, 200)  # of a population of all kinds, of which there are thrice as many
    honest: int = 100  # clients of each kind
    lives: tuple[int, int] = (50, 6_000)
    old: int = 4  # clients of each kind in OLD
    old_life: int = 6_000
    thieves: int = 7  # of each attack, undisguised
    disguised: int = 7  # of each attack and variant
    ablated: int = 2  # of each attack, judged without each signal in turn
    peered: int = 4  # of each honest kind and attack, judged by published detectors too
    peered_life: int = 1_000  # queries of a client that they see: some cost a millisecond a query
    adaptive: int = 7  # of each trick
    adaptive_life: int = 1_000
    copies: int = 1  # of each attack, whose copies are trained
    sybils: tuple[int, ...] = (8, 32, 64)  # identities of one thief
    sybil_life: int = 3_200  # questions of all of them together


SMALL: Final = Sizes(
    past=25,
    past_lives=(50, 300),
    honest=20,
    lives=(50, 2_000),
    old=1,
    thieves=5,
    disguised=3,
    ablated=1,
    peered=1,
    adaptive=3,
    adaptive_life=600,
    sybils=(8,),
)
"""A fifth of it: to see where a change leads on a slow machine."""
QUICK: Final = Sizes(
    settings=("plain",),
    past=16,
    past_lives=(50, 150),
    honest=8,
    lives=(50, 600),
    old=1,
    old_life=1_000,
    thieves=3,
    disguised=1,
    ablated=1,
    peered=1,
    peered_life=400,
    adaptive=1,
    adaptive_life=400,
    copies=1,
    sybils=(8,),
    sybil_life=400,
)


def settings(known: Data, sizes: Sizes, *, leave_out: bool) -> list[Setting]:
    """Return the settings: the plainest kinds seen, all seen and, if asked for, all but one, for each."""
    every = tuple(honest.kinds(known))
    plain = Crowd("past", honest.PLAIN, sizes.past, sizes.past_lives)
    rich = Crowd("past", every, sizes.past, sizes.rich_lives)
    chosen = [
        Setting(name, {"plain": plain, "rich": rich}[name], every, peers=name == "plain") for name in sizes.settings
    ]
    return chosen + [_left_out(rich, kind) for kind in (every if leave_out else ())]


def _left_out(rich: Crowd, kind: str) -> Setting:
    others = tuple(other for other in rich.kinds if other != kind)
    return Setting(f"without {kind}", replace(rich, kinds=others), (kind,), thieves=False)
