"""Write: verdicts and snapshots a second into a real Postgres, through the checkpoint that `detect` writes.

A checkpoint with verdicts alone and one with snapshots alone are timed in turn; a verdict brings its evidence, and the
first of a client an alert. Snapshots are of a size that is told.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import Engine

from benchmarks.servers import standing
from consumers.store import checkpoint, migrate
from consumers.store.engine import connect
from consumers.store.facts import Checkpoint, Claim
from detector.standing import Standing
from tests.store import given


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--rows", type=int, default=5_000, metavar="N", help="of a checkpoint")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--snapshot", type=int, default=12_000, metavar="BYTES", help="of a client, packed")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Start the servers and measure."""
    with standing(kafka=False) as servers:
        return measure(servers.postgres, chosen.rows, chosen.rounds, chosen.snapshot)


def measure(database: str, rows: int, rounds: int, size: int) -> dict[str, Any]:
    """Write `rounds` checkpoints of each kind; snapshots are new in the first of them and replaced in the others."""
    migrate.upgrade(database)
    engine = connect(database)
    claimed = checkpoint.claim(engine, given.PLACE)
    kinds = {"verdicts": _verdicts(rows), "snapshots": _snapshots(rows, size)}
    told = [_row(what, rows, rounds, _timed(engine, claimed, made, rounds)) for what, made in kinds.items()]
    engine.dispose()
    return {"rows": told, "note": f"checkpoints of {rows:,} rows; snapshots of {size:,} bytes"}


def _verdicts(rows: int) -> Iterator[Checkpoint]:
    for serial in range(1, 1 << 30):
        made = [given.verdict(Standing.WATCHED, serial, client=f"client-{number}") for number in range(rows)]
        yield Checkpoint(next=serial, verdicts=made)


def _snapshots(rows: int, size: int) -> Iterator[Checkpoint]:
    data = np.random.default_rng(0).bytes(size)  # it is compressed before it is written: no pattern in it
    for queries in range(1, 1 << 30):
        made = [given.snapshot(f"client-{number}", queries=queries, data=data) for number in range(rows)]
        yield Checkpoint(next=queries, snapshots=made)


def _timed(engine: Engine, claimed: Claim, made: Iterator[Checkpoint], rounds: int) -> tuple[float, float]:
    """Return seconds on the clock and of CPU."""
    wall = cpu = 0.0
    for one in (next(made) for _ in range(rounds)):
        begun = time.perf_counter(), time.process_time()
        checkpoint.save(engine, claimed, one)
        wall, cpu = wall + time.perf_counter() - begun[0], cpu + time.process_time() - begun[1]
    return wall, cpu


def _row(what: str, rows: int, rounds: int, seconds: tuple[float, float]) -> dict[str, Any]:
    wall, cpu = seconds
    written = rows * rounds
    return {
        "what": what,
        "rows": written,
        "rows a second": written / wall,
        "CPU µs a row": f"{1e6 * cpu / written:.1f}",
    }
