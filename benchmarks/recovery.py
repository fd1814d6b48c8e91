"""Recovery: the work of taking over a partition whose clients all have snapshots in Postgres.

Fence: the claim. Load: the snapshots of the clients of one poll (4,000 records), which is all that must be there before
the stream goes on; and, beside it, those of all clients. Seeking is free: an offset is set. No Kafka takes part.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from benchmarks import traffic
from consumers.kafka.source import BATCH_RECORDS
from consumers.partition import Partition, Terms
from consumers.store import checkpoint, migrate, populations
from consumers.store.engine import connect
from consumers.store.facts import Channels, Place
from detector.policy import Policy
from detector.population import Population, dump
from detector.wire import RawRecord
from gamekeeper.embedded import start_postgres

PLACE = Place("group", "predictions", "life-1", 0)
EVERYBODY = 10**9  # clients kept in memory: no bound
QUERIES = 20  # of a client: more than a window


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[1_000, 10_000, 30_000], metavar="N", help="of the partition; several"
    )


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Fill a partition, then take it over."""
    population = traffic.population()
    with tempfile.TemporaryDirectory(prefix="gamekeeper-recovery-") as folder:
        server = start_postgres(Path(folder), lambda *_: None)
        try:
            migrate.upgrade(server.url)
            engine = connect(server.url)
            populations.put(engine, dump([population]), "recovery")
            return {"rows": measure(engine, population, chosen.clients)}
        finally:
            server.stop()


def measure(engine: Engine, population: Population, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Fill the partition up to each size, and take it over."""
    rows, filled = [], 0
    for clients in sorted(sizes):
        names = [f"client-{number}" for number in range(clients)]
        _fill(_claimed(engine, population), names[filled:])
        filled = clients
        claiming, _ = _timed(partial(_claimed, engine, population))
        rows.append({"what": "fence", "clients": clients, "seconds": claiming, "CPU seconds": ""})
        rows += [_loaded(engine, population, names[:many]) for many in sorted({min(BATCH_RECORDS, clients), clients})]
    return rows


def _loaded(engine: Engine, population: Population, names: list[str]) -> dict[str, Any]:
    """Let a new owner load these clients."""
    owner, begun = _claimed(engine, population), time.process_time()
    loading, _ = _timed(partial(owner._restore, population.model, names))  # noqa: SLF001  # what it does itself
    used = f"{time.process_time() - begun:.3f}"
    return {"what": "load", "clients": len(names), "seconds": loading, "CPU seconds": used}


def _claimed(engine: Engine, population: Population) -> Partition:
    claim = checkpoint.claim(engine, PLACE)
    return Partition(Terms(engine, Policy(), Channels(), lambda _: population), claim, claim.next or 0)


def _fill(owner: Partition, names: list[str]) -> None:
    """Let every client ask, and write everybody's snapshot."""
    wanted = {traffic.MODEL: owner._terms.population("").version}  # noqa: SLF001  # any version: it knows one
    owner.save(wanted, EVERYBODY)
    inputs = traffic.ordinary("anybody", QUERIES)
    for start in range(0, len(names), 1_000):
        lines = [record for name in names[start : start + 1_000] for record in traffic.records(name, inputs)]
        owner.take([RawRecord(line, None, None, owner.next + at) for at, line in enumerate(lines)], None)
        owner.save(wanted, EVERYBODY)
    owner.save(wanted, EVERYBODY, leaving=True)


def _timed(do: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    done = do()
    return time.perf_counter() - begun, done
