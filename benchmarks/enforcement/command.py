"""The benchmark: thieves one after the other, each of whom asks by every way until it is refused.

A verdict that confirms a thief is written by the checkpoint that `detect` writes; the clock starts when that has
committed. From then on `deliver`, Kafka, the api and whoever enforces are the real ones, as processes. Where only
addresses are known, a block of the thief's address is written right after the verdict.
"""

import argparse
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import numpy as np

from benchmarks.enforcement.routes import ROUTES
from benchmarks.enforcement.world import READY_SECONDS, SAID, Way, World, address, built
from benchmarks.servers import standing
from consumers.store import checkpoint, people
from consumers.store.facts import Channels, Checkpoint, Claim
from detector.decision import ANY_MODEL, Action, Scope
from detector.policy import Breaker, Policy
from detector.standing import Standing
from tests.consumers.road import until
from tests.deploy.front import model
from tests.store import given

REFUSED: Final = 403
UNKNOWN: Final = 401
EVERY: Final = 0.005  # s between two queries of a thief by one way: on average half of it is measured, too
MOST: Final = 30.0  # s that a refusal is waited for
POLICY: Final = Policy(breaker=Breaker(clients=1.0, traffic=1.0))  # all are thieves: the usual one would ask a person
PERCENTILES: Final = {"p50": 50, "p99": 99, "max": 100}


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--thieves", type=int, default=100, metavar="N")
    parser.add_argument("--ways", nargs="+", choices=tuple(ROUTES), default=tuple(ROUTES))


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Start everything and measure."""
    clients = [f"thief-{number}" for number in range(chosen.thieves)]
    with standing() as servers, model() as behind, built(servers, behind.port, clients) as world, ExitStack() as stack:
        world.start_api()
        ways = {name: stack.enter_context(ROUTES[name](world)) for name in chosen.ways}
        pushes = {name: way.push for name, way in ways.items() if way.push}
        world.start_deliver(pushes)
        world.supervisor.wait_ready(READY_SECONDS, lambda _: None)
        until(lambda: all(_status(world, way, clients[-1]) not in {0, UNKNOWN, REFUSED} for way in ways.values()))
        channels = Channels(decisions=("topic", *(f"push:{name}" for name in pushes)))
        delays = [_delays(world, ways, client, channels) for client in clients]
    rows = [_row(name, [one[name] for one in delays if name in one], len(clients)) for name in ways]
    return {
        "rows": rows,
        "note": f"ms from a written verdict to the first refusal; a query every {EVERY * 1000:.0f} ms",
    }


def failed(result: dict[str, Any]) -> bool:
    """Tell whether a thief was not refused somewhere."""
    return any(row["refused"] < row["thieves"] for row in result["rows"])


def _delays(world: World, ways: Mapping[str, Way], client: str, channels: Channels) -> dict[str, float]:
    """Return the seconds until the client was refused, by way; those by which it was not are missing."""
    refused: dict[str, float] = {}
    end = time.monotonic() + MOST

    def ask(name: str) -> None:
        while time.monotonic() < end:
            if _status(world, ways[name], client) == REFUSED:
                refused[name] = time.monotonic()
                return
            time.sleep(EVERY)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ways]
    for thread in threads:
        thread.start()
    written = _confirm(world, client, channels)
    if any(way.addresses for way in ways.values()):
        _block_address(world, client, channels)
    for thread in threads:
        thread.join()
    return {name: at - written for name, at in refused.items()}


def _status(world: World, way: Way, client: str) -> int:
    return way.status(client, world.secrets[client])


def _block_address(world: World, client: str, channels: Channels) -> None:
    """Do what somebody does, by a script perhaps, whose bouncer knows addresses alone."""
    order = people.Order(Scope.IP, address(client), ANY_MODEL, Action.BLOCK, seconds=3_600, why=SAID.why, who=SAID.who)
    people.decide(world.engine, order, channels)


def _confirm(world: World, client: str, channels: Channels) -> float:
    """Write the verdict, as `detect` does; return when it was."""
    claimed: Claim = checkpoint.claim(world.engine, given.PLACE)
    verdict = given.verdict(Standing.CONFIRMED, client=client, time=time.time_ns() // 1_000)
    made = Checkpoint(
        next=(claimed.next or 0) + 1,
        verdicts=[verdict],
        snapshots=[given.snapshot(client)],
        policy=POLICY,
        channels=channels,
    )
    checkpoint.save(world.engine, claimed, made)
    return time.monotonic()


def _row(name: str, seconds: list[float], thieves: int) -> dict[str, Any]:
    found = np.percentile(np.array(seconds) * 1_000, list(PERCENTILES.values())).tolist() if seconds else []
    told = {name: f"{value:.0f}" for name, value in zip(PERCENTILES, found, strict=False)}
    return {"way": name, "thieves": thieves, "refused": len(seconds), **told}
