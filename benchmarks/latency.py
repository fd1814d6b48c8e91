"""Latency: from a query that decides to its decision in a gateway's table, over the whole road, by load.

Capacity is measured first: records are sent as fast as the producer takes them, and how many a second are accounted for
by the last one is what this machine can do with everything on it. Then ordinary clients ask at a share of that, and
every second a thief comes whose queries are sent at once. A decision's time is when the table took it, less when the
query that led to its verdict was handed to the producer; that time is written into the record. It has two parts: until
the transaction with the verdict begins, which Postgres notes, and from there. Ordinary records are made before: what
the benchmark itself does must not take the time of what is measured.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks import traffic
from benchmarks.chaos.oracle import accounted
from benchmarks.chaos.stage import Stage, built, partition_of, predictions
from benchmarks.soak import LAP, PATIENCE
from benchmarks.throughput.stream import Send, sending
from consumers.kafka import written
from detector.decision import Decision
from detector.population import Population
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time
from detector.topics import Topics
from gateway.feed import Feed, Sinks
from gateway.table import DecisionTable

BACKLOG: Final = 100_000  # records by which capacity is measured
CLIENTS: Final = 500  # each with 200 questions, which it asks again and again: more than ids are remembered
CLIENTS_MAX: Final = 40_000  # in memory: detect's own default
WORKERS: Final = 1  # of two cores, one for everything else
SHARES: Final = (0.1, 0.5, 0.8)
PARTS: Final = ("p50", "p99")  # that are told of the two parts
PERCENTILES: Final = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
THIEF: Final = 64  # queries, sent at once; its verdict comes with one of them
BETWEEN: Final = 1.0  # s, of thieves
WARM: Final = 10.0  # s of a load before the first of them: a producer that connects is no part of what is measured
SETTLE: Final = 30.0  # s, at most, for the last decisions
TICK: Final = 0.005  # s between handing records over: part of what is measured
THIEVES: Final = (
    "SELECT id::text, extract(epoch FROM at) * 1000000, extract(epoch FROM written) * 1000000"
    " FROM verdicts WHERE client LIKE 'thief-%' ORDER BY at"
)

Sent = Iterator[tuple[bytes, bytes]]
Floats = npt.NDArray[np.float64]


class Timed(DecisionTable):
    """A gateway's table that remembers when it took each verdict's decision, in µs since 1970."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[str, int] = {}

    def apply(self, decision: Decision) -> bool:
        """Take it, and look at the clock."""
        fresh = super().apply(decision)
        if decision.verdict is not None:
            self.taken.setdefault(decision.verdict, time.time_ns() // 1_000)
        return fresh


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--seconds", type=float, default=120.0, help="at each load: as many decisions")
    parser.add_argument("--loads", type=float, nargs="+", default=SHARES, metavar="SHARE", help="of the capacity")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure capacity, then each load."""
    with tempfile.TemporaryDirectory(prefix="gamekeeper-latency-") as folder:
        return measure(Path(folder), traffic.population(), chosen.loads, chosen.seconds)


def measure(
    folder: Path, population: Population, loads: list[float], seconds: float, most: float = 0
) -> dict[str, Any]:
    """Build the road, and measure each load for so long; `most` is its capacity, 0 where that is to be measured."""
    table, stream = Timed(), _ordinary()
    with built(folder, population) as stage:
        stage.clients_max, stage.workers = CLIENTS_MAX, WORKERS
        feed = Feed(stage.kafka.url, Topics(), Sinks(table))
        feed.start()
        stage.begin()
        most = most or _capacity(stage, stream)
        rows, told = [], 0
        for load in loads:
            _load(stage, stream, most * load, seconds)
            stage.until(lambda: _settled(stage, table), SETTLE)
            delays = _delays(stage, table)
            rows.append({"load": f"{load:.0%}", **_percentiles(delays[told:])})
            told = len(delays)
        feed.join()
    return {"rows": rows, "note": f"ms; capacity {most:,.0f} records/s; a decision a second"}


def _ordinary() -> Sent:
    """Yield keys and records of ordinary clients in turn, for ever, at no cost."""
    lives = [
        list(traffic.records(name, traffic.ordinary(name, LAP))) for name in map("client-{}".format, range(CLIENTS))
    ]
    made = [(f"client-{client}".encode(), life[lap]) for lap in range(LAP) for client, life in enumerate(lives)]
    return itertools.cycle(made)


def _capacity(stage: Stage, stream: Sent) -> float:
    """Return how many records a second are accounted for while more come than can be."""
    before, begun = sum(accounted(stage)), time.monotonic()
    with sending(stage.kafka.url) as send:
        for key, value in itertools.islice(stream, BACKLOG):
            _send(send, key, value)
    stage.until(lambda: sum(accounted(stage)) >= before + BACKLOG, PATIENCE)
    return BACKLOG / (time.monotonic() - begun)


def _load(stage: Stage, stream: Sent, rate: float, seconds: float) -> None:
    """Send at this rate, and a thief now and then."""
    begun, sent, thieves = time.monotonic(), 0, 0
    with sending(stage.kafka.url) as send:
        while (now := time.monotonic() - begun) < WARM + seconds:
            for key, value in itertools.islice(stream, int(rate * now) - sent):
                _send(send, key, value)
                sent += 1
            if now >= WARM + thieves * BETWEEN:
                _steal(send, f"thief-{time.time_ns()}")
                thieves += 1
            stage.supervisor.tend()
            time.sleep(TICK)


def _send(send: Send, key: bytes, value: bytes) -> None:
    send(predictions(), value, partition_of(key), key=key)


def _steal(send: Send, name: str) -> None:
    """Send a thief's queries, each with the time at which it was handed over."""
    inputs = traffic.bisecting(name, THIEF)
    for number, (one, probabilities) in enumerate(zip(inputs, traffic.answer(inputs), strict=True)):
        record = Record(
            id=f"{name} {number}",
            time=format_time(time.time_ns() // 1_000),
            model=traffic.MODEL,
            client=name,
            input=Input(shape=list(traffic.SHAPE), dtype="float32", data=one.tobytes()),
            output=Output(probabilities=probabilities.tolist()),
        )
        _send(send, name.encode(), encode_record(record))


def _settled(stage: Stage, table: Timed) -> bool:
    """Tell whether everything sent is accounted for, and every thief's decision taken."""
    read = sum(accounted(stage)) >= written(stage.kafka.url, predictions())
    return read and all(verdict in table.taken for verdict, _, _ in stage.rows(THIEVES))


def _delays(stage: Stage, table: Timed) -> Floats:
    """Return two ms of every decision that was taken: until its transaction began, and from then on. f8[n, 2]."""
    times = [
        (int(at), int(begun), table.taken[verdict])
        for verdict, at, begun in stage.rows(THIEVES)
        if verdict in table.taken
    ]
    return np.diff(np.array(times, np.float64).reshape(-1, 3)) / 1_000


def _percentiles(delays: Floats) -> dict[str, Any]:
    if not len(delays):
        return {"decisions": 0}
    return {
        "decisions": len(delays),
        **_ms(delays.sum(axis=1), PERCENTILES),
        **_ms(delays[:, 0], {f"until written {name}": PERCENTILES[name] for name in PARTS}),
        **_ms(delays[:, 1], {f"from there {name}": PERCENTILES[name] for name in PARTS}),
    }


def _ms(delays: Floats, percentiles: Mapping[str, float]) -> dict[str, str]:
    found = np.percentile(delays, list(percentiles.values())).tolist()
    return {name: f"{value:.0f}" for name, value in zip(percentiles, found, strict=True)}
