"""Soak: the whole road at half of its capacity for a long time; nothing may grow that should not.

Capacity is measured first: how fast a backlog is accounted for. Then clients who never stop ask at half that rate. Of
each process the memory a sixth of the way in (minute 5 of 30) and at the end is compared, and how far behind they are.
"""

import argparse
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
from kafka import KafkaProducer
from rich.table import Table

from benchmarks import traffic
from benchmarks.chaos.oracle import accounted
from benchmarks.chaos.stage import Stage, built, predictions
from consumers.kafka import written
from detector.records import Record, encode_record
from detector.times import format_time, parse_time

BACKLOG = 60_000  # records by which capacity is measured
CLIENTS = 2_000
LAP = 200  # different queries of a client, which it asks again and again under other ids
SAMPLE_SECONDS = 10.0
SETTLED = 1 / 6  # of the time: from here on memory may not grow
GROWTH = 0.05  # of memory, that is no growth
PATIENCE = 600.0  # s for the backlog
KEPT_BOUNDED = ("marks", "gateways")  # tables that do not grow with what is asked


@dataclass(slots=True)
class Samples:
    """What was seen every SAMPLE_SECONDS."""

    memory: dict[str, list[float]] = field(default_factory=dict)  # MiB by process
    behind: list[int] = field(default_factory=list)  # records
    rows: dict[str, list[int]] = field(default_factory=dict)  # by table

    def take(self, stage: Stage) -> None:
        """Look once."""
        for name, child in stage.supervisor.children.items():
            self.memory.setdefault(name, []).append(_resident(child.process.pid))
        self.behind.append(written(stage.kafka.url, predictions()) - sum(accounted(stage)))
        for table in KEPT_BOUNDED:
            [[count]] = stage.rows(f"SELECT count(*) FROM {table}")  # noqa: S608  # fixed names
            self.rows.setdefault(table, []).append(int(count))


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--minutes", type=float, default=30.0)


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure capacity, then soak."""
    population = traffic.population()
    with tempfile.TemporaryDirectory(prefix="gamekeeper-soak-") as folder, built(Path(folder), population) as stage:
        stage.begin()
        stream = asked()
        most = capacity(stage, stream)
        samples = _soak(stage, stream, most / 2, chosen.minutes * 60)
        return {"capacity_per_second": most, "minutes": chosen.minutes, **_found(samples)}


def tables(found: dict[str, Any]) -> list[Table]:
    """Return a table of the processes' memory, and what else was seen below it."""
    table = Table("process", "MiB a sixth in", "MiB at the end", "growth")
    for name, (before, after) in found["memory_mib"].items():
        table.add_row(name, f"{before:,.0f}", f"{after:,.0f}", f"{after / before - 1:+.1%}")
    table.caption = (
        f"capacity {found['capacity_per_second']:,.0f} records/s; {found['minutes']:g} minutes at half of it; records "
        f"behind: {found['behind'][0]:,.0f} on average before the middle, {found['behind'][1]:,.0f} after; "
        f"rows of bounded tables: {found['rows']}"
    )
    return [table]


def failed(found: dict[str, Any]) -> bool:
    """Tell whether memory, the distance or a bounded table grew."""
    grown = any(after > before * (1 + GROWTH) for before, after in found["memory_mib"].values())
    before, after = found["behind"]
    later = after > before + found["capacity_per_second"] / 2  # a second's records
    return grown or later or any(last > first for first, last in found["rows"].values())


def asked() -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and records of clients in turn, for ever."""
    clients = [_client(f"client-{number}") for number in range(CLIENTS)]
    chance = random.Random(1)  # noqa: S311  # no secret
    while True:
        yield next(chance.choice(clients))


def _client(name: str) -> Iterator[tuple[bytes, bytes]]:
    lines = list(traffic.records(name, traffic.ordinary(name, LAP)))
    for lap, line in ((lap, line) for lap in itertools.count() for line in lines):
        record = msgspec.json.decode(line, type=Record)
        at = format_time(parse_time(record.time) + lap * LAP * traffic.STEP)
        yield name.encode(), encode_record(msgspec.structs.replace(record, id=f"{lap} {record.id}", time=at))


def capacity(stage: Stage, stream: Iterator[tuple[bytes, bytes]]) -> float:
    """Return how many records a second are accounted for while there is no end of them."""
    producer = KafkaProducer(bootstrap_servers=stage.kafka.url)
    for key, value in itertools.islice(stream, BACKLOG):
        producer.send(predictions(), value, key=key)
    before, begun = sum(accounted(stage)), time.monotonic()
    producer.close()
    stage.until(lambda: sum(accounted(stage)) >= BACKLOG, PATIENCE)
    return (BACKLOG - before) / (time.monotonic() - begun)


def _soak(stage: Stage, stream: Iterator[tuple[bytes, bytes]], rate: float, seconds: float) -> Samples:
    samples, producer = Samples(), KafkaProducer(bootstrap_servers=stage.kafka.url, linger_ms=20)
    begun, sent, due = time.monotonic(), 0, SAMPLE_SECONDS
    while (now := time.monotonic() - begun) < seconds:
        for key, value in itertools.islice(stream, int(rate * now) - sent):
            producer.send(predictions(), value, key=key)
            sent += 1
        stage.supervisor.tend()
        if now >= due:
            samples.take(stage)
            due += SAMPLE_SECONDS
        time.sleep(0.02)
    producer.close()
    return samples


def _found(samples: Samples) -> dict[str, Any]:
    settled = int(len(samples.behind) * SETTLED)
    middle = len(samples.behind) // 2
    return {
        "memory_mib": {name: (seen[settled], seen[-1]) for name, seen in samples.memory.items()},
        "behind": (fmean(samples.behind[settled:middle]), fmean(samples.behind[middle:])),
        "rows": {table: (seen[settled], seen[-1]) for table, seen in samples.rows.items()},
    }


def _resident(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(kib) / 1024
