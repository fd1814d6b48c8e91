"""`gamekeeper visit`: the demo's clients come to a running `up`, so that there is something to find in it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from gamekeeper.demo import data, people, thieves, traffic
from gamekeeper.demo.clients import Kind
from gamekeeper.demo.screen import Advance, Screen
from gamekeeper.demo.traffic import Visitor

THIEVES = {kind.name.replace(" ", "-"): kind for kind in thieves.KINDS}


@dataclass(frozen=True, slots=True)
class Visit:
    """What became of one visitor."""

    client: str
    kind: str
    honest: bool
    asked: int  # inputs that were answered
    blocked: bool


def run(url: str, register: people.Register, thief: Kind, seconds: int) -> list[Visit]:
    """Let an honest client of each kind and one thief ask the model at `url`; return what became of them.

    Raises Broken.
    """
    visitors = people.visit(data.load(), register, thief, seconds)
    with Screen(Console(stderr=True)).step(f"{len(visitors)} clients over HTTP") as advance:
        asyncio.run(traffic.run(visitors, url, seconds, lambda: _tell(visitors, advance)))
    return [Visit(one.name, one.kind.name, one.kind.honest, one.asked, one.blocked) for one in visitors]


def _tell(visitors: Sequence[Visitor], advance: Advance) -> None:
    *ordinary, thief = visitors
    refused = "refused" if thief.blocked else "answered"
    text = f"the thief is {refused} after {thief.asked} queries"
    advance(sum(one.asked for one in ordinary) / sum(one.budget for one in ordinary), text)
