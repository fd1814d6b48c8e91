"""Who comes: the demo's warm-up, the honest clients and thieves of its run, and visitors of a running `up`."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np

from gamekeeper.demo import honest, thieves
from gamekeeper.demo.clients import Conversation, Kind, Script
from gamekeeper.demo.data import Parts
from gamekeeper.demo.traffic import Visitor

WARM_UP_A_KIND = 18
WARM_UP_QUERIES = 160
HONEST_A_KIND = 8
HONEST_QUERIES = 200
THIEVES_A_KIND = 4
CONTROLS_A_KIND = 2
THIEF_QUERIES = 600
_REQUEST = 4.5  # instances in an honest request, on average
_BULK = 4  # requests of a client of the warm-up that are put into one
_HURRY = 0.03  # s between two requests in the warm-up
_THEFT = 0.08  # s between the requests of a thief, who has all the time that it is let ask
_HONEST_SHARE = 0.8  # of the run, in which an honest client spreads its queries
_ARRIVALS = 0.5  # of the run, over which thieves arrive

Register = Callable[[Sequence[str]], Mapping[str, str]]
"""Gives each of the named clients a key."""


def warm_up(parts: Parts, register: Register) -> list[Visitor]:
    """Return honest clients on images of their own, in a hurry."""
    own = replace(parts, honest=parts.warm_up)
    named = _names(honest.KINDS, "early", WARM_UP_A_KIND)
    given = register([name for name, _ in named])
    return [_visitor(name, kind, given[name], Conversation(_in_bulk(_script(name, kind, own)))) for name, kind in named]


def run(parts: Parts, register: Register, seconds: float) -> list[Visitor]:
    """Return the honest clients, who take their time, and the thieves, who arrive one after the other."""
    controls = [kind for kind in thieves.KINDS if kind.control]
    counted = [kind for kind in thieves.KINDS if not kind.control]
    named = [
        *_names(honest.KINDS, "client", HONEST_A_KIND),
        *_names(counted, "client", THIEVES_A_KIND),
        *_names(controls, "client", CONTROLS_A_KIND),
    ]
    given = register([name for name, _ in named])
    visitors = [_visitor(name, kind, given[name], Conversation(_script(name, kind, parts))) for name, kind in named]
    _pace([visitor for visitor in visitors if visitor.kind.honest], seconds)
    _arrive([visitor for visitor in visitors if not visitor.kind.honest], seconds)
    return visitors


def visit(parts: Parts, register: Register, thief: Kind, seconds: float) -> list[Visitor]:
    """Return an honest client of each kind and a thief; their names are new each time and do not tell who is which."""
    named = [(f"visitor-{secrets.token_hex(3)}", kind) for kind in (*honest.KINDS, thief)]
    given = register([name for name, _ in named])
    *ordinary, last = [
        _visitor(name, kind, given[name], Conversation(_script(name, kind, parts))) for name, kind in named
    ]
    _pace(ordinary, seconds)
    _arrive([last], seconds)
    return [*ordinary, last]


def _names(kinds: Sequence[Kind], word: str, each: int) -> list[tuple[str, Kind]]:
    return [(f"{word}-{kind.name.replace(' ', '-')}-{at + 1}", kind) for kind in kinds for at in range(each)]


def _script(name: str, kind: Kind, parts: Parts) -> Script:
    return kind.start(parts, np.random.default_rng(crc32(name.encode())))


def _in_bulk(script: Script) -> Script:
    """Ask what an honest script asks in fewer, larger requests: the warm-up is there to be over soon."""
    while True:
        yield np.concatenate([next(script) for _ in range(_BULK)])


def _visitor(name: str, kind: Kind, key: str, talk: Conversation) -> Visitor:
    return Visitor(name, kind, key, talk, budget=WARM_UP_QUERIES, start=0.0, pause=_HURRY)


def _pace(visitors: Sequence[Visitor], seconds: float) -> None:
    for at, visitor in enumerate(visitors):
        visitor.budget = HONEST_QUERIES
        visitor.start = (1 - _HONEST_SHARE) / 2 * seconds * at / len(visitors)
        visitor.pause = _HONEST_SHARE * seconds / (HONEST_QUERIES / _REQUEST)


def _arrive(visitors: Sequence[Visitor], seconds: float) -> None:
    """Spread the thieves' arrivals so that those of one kind do not come together."""
    order = np.random.default_rng(len(visitors)).permutation(len(visitors))
    for at, visitor in zip(order, visitors, strict=True):
        visitor.budget = THIEF_QUERIES
        visitor.start = float(_ARRIVALS * seconds * at / len(visitors))
        visitor.pause = _THEFT
