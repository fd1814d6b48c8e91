"""Throughput: what one core does in a second, ours and others', on the same records of a real Kafka.

Every reader runs in a process of its own on one core; broker and Postgres have the other ones. Of clients in zipf(1.2)
shares one in ten is a thief. Ours has the population in force before the first record, and ends with a last checkpoint.
"""

import argparse
import os
import subprocess
import sys
from typing import Any, Final

import msgspec
import numpy as np
from rich.table import Table
from sqlalchemy import Text, cast, func, select, tuple_

from benchmarks.servers import Servers, standing
from benchmarks.throughput import stream
from benchmarks.throughput.measured import Measured, Told
from benchmarks.throughput.peers import PEERS
from benchmarks.throughput.peers.gamekeeper import GROUP
from benchmarks.throughput.stream import Written
from benchmarks.world import World, taught
from consumers import kafka
from consumers.partition import Partition, Terms
from consumers.store import checkpoint, migrate, policies, populations
from consumers.store.engine import connect
from consumers.store.facts import Channels, Place
from consumers.store.schema import verdicts
from detector.policy import Policy
from detector.population import Population, dump

FLOATS: Final = 64  # the size of which --json tells
BASE: Final = "raw kafka-python"
BESIDE: Final = ("verdicts", "checkpoints")
# everything of a verdict but which record decided: offsets differ between the two forms
SAID: Final = (
    "client",
    "serial",
    "at",
    "standing",
    "previous",
    "cause",
    "action",
    "queries",
    "score",
    "leakage",
    "reason",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--records", type=int, default=1_000_000, metavar="N", help="queries that everybody reads")
    parser.add_argument("--floats", type=int, default=FLOATS, metavar="N", help="numbers in an input")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="times that each reads, one after the other")
    parser.add_argument("--clients", type=int, default=10_000, metavar="N")
    parser.add_argument("--only", type=_names, default=list(PEERS), metavar="NAME,...", help=", ".join(PEERS))


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Write the stream and let each reader read it."""
    world = World(np.random.default_rng(0), chosen.floats)
    with standing() as servers:
        population = taught(world) if any(PEERS[name].judges for name in chosen.only) else None
        written = stream.write(servers.kafka, world, chosen.records, chosen.clients)
        found = [measure(servers, written, population, chosen.only, turn) for turn in range(chosen.runs)]
    note = f"{chosen.records:,} queries of {chosen.floats} numbers by {chosen.clients:,} clients"
    note += f"; the median of {chosen.runs} runs" if chosen.runs > 1 else ""
    usual = {name: sorted((one[name] for one in found), key=lambda one: one.cpu)[len(found) // 2] for name in found[0]}
    spread = {name: sorted(1e6 * one[name].cpu / chosen.records for one in found) for name in usual}
    return {"rates": {name: rates(one, chosen.records) for name, one in usual.items()},
            "beside": {name: one.notes for name, one in usual.items() if one.notes},
            "spread": {name: (times[0], times[-1]) for name, times in spread.items()}, "note": note}  # fmt: skip


def measure(
    servers: Servers, written: Written, population: Population | None, names: list[str], turn: int = 0
) -> dict[str, Measured]:
    """Let the named readers read, one after the other. Raises RuntimeError where one fails."""
    found = {name: _measured(servers, written, population, (name, turn)) for name in names}
    said = [one.notes.pop("digest") for one in found.values() if "digest" in one.notes]
    if len(set(said)) > 1:
        raise RuntimeError("the verdicts of JSON and of batch records differ")
    return found


def tables(result: dict[str, Any]) -> list[Table]:
    """Return one table: a reader a row."""
    columns = ("a core", "on the clock", "CPU µs a query", "least - most", f"x {BASE}", *BESIDE)
    table = Table("reader", caption=f"{result['note']}; queries a second")
    for column in columns:
        table.add_column(column, justify="right")
    base = result["rates"].get(BASE, {}).get("per_core")
    for name, rates in result["rates"].items():
        core, wall = rates["per_core"], rates["wall"]
        notes = [f"{result['beside'][name][what]:,}" if name in result["beside"] else "" for what in BESIDE]
        times = f"{core / base:.2f}" if base else ""
        least, most = result["spread"][name]
        spread = f"{least:.2f} - {most:.2f}"
        table.add_row(name, f"{core:,.0f}", f"{wall:,.0f}", f"{1e6 / core:.2f}", spread, times, *notes)
    return [table]


def _names(told: str) -> list[str]:
    names = told.split(",")
    unknown = ", ".join(name for name in names if name not in PEERS)
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown}: not one of {', '.join(PEERS)}")
    return names


def rates(one: Measured, queries: int) -> dict[str, float]:
    """Return queries a second of CPU and on the clock."""
    return {"per_core": queries / one.cpu, "wall": queries / one.wall}


def _measured(servers: Servers, written: Written, population: Population | None, reader: tuple[str, int]) -> Measured:
    name, turn = reader
    peer = PEERS[name]
    told = Told(
        kafka=servers.kafka,
        topic=written.batch if peer.batch else written.json,
        records=written.batches if peer.batch else written.queries,
        queries=written.queries,
        database=servers.postgres,
        schema=f"{name.replace(' ', '_')}_{turn}",
        folder=str(servers.folder),
        turn=turn,
    )
    if not peer.judges or population is None:
        return _read(servers, told, name)
    _prepare(told, population)
    measured = _read(servers, told, name)
    measured.notes |= _verdicts(told)
    return measured


def _read(servers: Servers, told: Told, name: str) -> Measured:
    """Let one reader read in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.throughput.worker",
        str(servers.core),
        name,
        msgspec.json.encode(told).decode(),
    ]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False)  # noqa: S603  # our own
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.decode(errors='replace')[-2_000:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Measured)


def _prepare(told: Told, population: Population) -> None:
    """Make the schema, with the population in force from the first record on."""
    migrate.upgrade(told.database, told.schema)
    engine = connect(told.database, told.schema)
    [version] = populations.put(engine, dump([population]), "benchmark")
    populations.use(engine, population.model, version, "benchmark")
    policies.introduce(engine, Policy())
    topic = kafka.find(told.kafka, told.topic)
    for number in range(topic.partitions if topic else 0):
        claim = checkpoint.claim(engine, Place(GROUP, told.topic, topic.id if topic else "", number))
        owner = Partition(Terms(engine, Policy(), Channels(), lambda _: population), claim, 0)
        owner.save({population.model: version}, 1)
    engine.dispose()


def _verdicts(told: Told) -> dict[str, int]:
    """Return how many verdicts there are, and a number that stands for what they say."""
    engine = connect(told.database, told.schema)
    said = tuple_(*(verdicts.c[name] for name in SAID))
    with engine.connect() as connection:
        rows = (
            connection.execute(select(func.hashtextextended(cast(said, Text), 0)).select_from(verdicts)).scalars().all()
        )
    engine.dispose()
    return {"verdicts": len(rows), "digest": sum(rows)}
