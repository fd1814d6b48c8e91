"""Scaling: what a query costs when more `detect` processes share the partitions. Real Kafka, real Postgres.

The same stream is read by one process, then by more. CPU time is that of the `detect` processes alone, from when the
group has dealt out the partitions until everything is accounted for; what starting costs is left out. Each run
measures every number of processes in turn, and compares within itself. One process beside others that have nothing to
do with it shows what sharing the machine's cores and caches costs by itself.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import traffic
from benchmarks.chaos.oracle import accounted
from benchmarks.chaos.stage import PARTITIONS, Stage, built, partition_of, predictions
from benchmarks.soak import asked
from benchmarks.throughput.stream import sending
from detector.population import Population

START_SECONDS: Final = 120.0
PATIENCE: Final = 600.0  # s for the whole stream
CLIENTS_MAX: Final = 40_000  # nobody leaves memory: with more processes there would be more of it
CLAIMED: Final = "partition claimed"  # in a worker's log
_BUSY: Final = "import numpy\na = numpy.zeros(500_000)\nwhile True:\n    a += 1"  # a core, and 4 MB of its caches
_USED: Final = slice(11, 13)  # utime and stime in /proc/PID/stat, of the fields after the name


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    parser.add_argument("--queries", type=int, default=200_000, metavar="N")
    parser.add_argument(
        "--neighbours", type=int, default=3, metavar="N", help="busy ones, beside which one process reads"
    )
    parser.add_argument("--runs", type=int, default=1, metavar="N")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Let ever more processes read as many queries."""
    population = traffic.population()
    stream = list(itertools.islice(asked(), chosen.queries))
    cases = [(many, 0) for many in chosen.processes] + [(1, chosen.neighbours)] * (chosen.neighbours > 0)
    runs = [{case: measured(population, case, stream) for case in cases} for _ in range(chosen.runs)]
    rows = [
        {
            "processes": many,
            "busy neighbours": neighbours,
            "CPU µs a query": _spread([1e6 * run[many, neighbours] for run in runs], 1),
            "of the first": _spread([run[many, neighbours] / run[cases[0]] for run in runs], 2),
        }
        for many, neighbours in cases
    ]
    return {
        "rows": rows,
        "note": f"{chosen.queries:,} JSON records of 2,000 clients, {os.cpu_count()} cores; median (least - most)",
    }


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} - {max(values):.{digits}f})"


def measured(population: Population, case: tuple[int, int], stream: Sequence[tuple[bytes, bytes]]) -> float:
    """Return the CPU seconds of a query, of keys and records; `case`: how many processes, and busy neighbours."""
    processes, neighbours = case
    with tempfile.TemporaryDirectory(prefix="gamekeeper-scaling-") as folder, built(Path(folder), population) as stage:
        stage.clients_max = CLIENTS_MAX
        for _ in range(processes):
            stage.join()
        if not stage.until(lambda: _everybody_reads(stage), START_SECONDS):
            raise RuntimeError(f"{processes} processes did not get the partitions in {START_SECONDS:g} s")
        with _busy(neighbours):
            before = _cpu(stage)
            _write(stage, stream)
            if not stage.until(lambda: sum(accounted(stage)) >= len(stream), PATIENCE):
                raise RuntimeError(f"{len(stream):,} records were not read in {PATIENCE:g} s")
            return (_cpu(stage) - before) / len(stream)


@contextmanager
def _busy(many: int) -> Iterator[None]:
    """Keep so many processes busy that read nothing."""
    running = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(many)]  # noqa: S603  # our own
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def _everybody_reads(stage: Stage) -> bool:
    """Tell whether every partition has been claimed, and every process has claimed one."""
    whole = stage.rows("SELECT count(*) FROM in_force") == [(PARTITIONS,)]
    return whole and all(CLAIMED in stage.log(name).read_text() for name in stage.supervisor.children)


def _write(stage: Stage, stream: Sequence[tuple[bytes, bytes]]) -> None:
    """Write faster than anybody reads, so that nobody waits for records."""
    with sending(stage.kafka.url) as send:
        for key, value in stream:
            send(predictions(), value, partition_of(key), key=key)


def _cpu(stage: Stage) -> float:
    """Return the CPU seconds that the workers have used since they began."""
    ticks = 0
    for child in stage.supervisor.children.values():
        stat = Path(f"/proc/{child.process.pid}/stat").read_text()
        ticks += sum(map(int, stat.rpartition(")")[2].split()[_USED]))
    return ticks / os.sysconf("SC_CLK_TCK")
