"""Latency: from a query that decides to its decision in a gateway's table, over the whole road, by load.

Capacity is measured first: how fast a backlog is accounted for. Then ordinary clients ask at a share of it, and every
second a thief comes whose queries are sent at once. A decision's time is when the table took it, less when the query
that led to its verdict was handed to the producer; that time is written into the record.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from kafka import KafkaProducer

from benchmarks import traffic
from benchmarks.chaos.oracle import accounted
from benchmarks.chaos.stage import Stage, built, predictions
from benchmarks.soak import asked, capacity
from consumers.kafka import written
from detector.decision import Decision
from detector.population import Population
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time
from detector.topics import Topics
from gateway.feed import Feed, Sinks
from gateway.table import DecisionTable

SHARES: Final = (0.1, 0.5, 0.8)
PERCENTILES: Final = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
THIEF: Final = 64  # queries, sent at once; its verdict comes with one of them
BETWEEN: Final = 1.0  # s, of thieves
SETTLE: Final = 30.0  # s, at most, for the last decisions
TICK: Final = 0.005  # s between handing records over: part of what is measured
THIEVES: Final = (
    "SELECT id::text, extract(epoch FROM at) * 1000000 FROM verdicts WHERE client LIKE 'thief-%' ORDER BY at"
)

Sent = Iterator[tuple[bytes, bytes]]


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
    table = Timed()
    with built(folder, population) as stage:
        feed = Feed(stage.kafka.url, Topics(), Sinks(table))
        feed.start()
        stage.begin()
        stream = asked()
        most = most or capacity(stage, stream)
        rows, told = [], 0
        for load in loads:
            _load(stage, stream, most * load, seconds)
            stage.until(lambda: _settled(stage, table), SETTLE)
            delays = _delays(stage, table)
            rows.append({"load": f"{load:.0%}", **_percentiles(delays[told:])})
            told = len(delays)
        feed.join()
    return {"rows": rows, "note": f"ms; capacity {most:,.0f} records/s; a decision a second"}


def _load(stage: Stage, stream: Sent, rate: float, seconds: float) -> None:
    """Send at this rate, and a thief now and then."""
    producer = KafkaProducer(bootstrap_servers=stage.kafka.url, linger_ms=5)
    begun, sent, thieves = time.monotonic(), 0, 0
    while (now := time.monotonic() - begun) < seconds:
        for key, value in islice(stream, int(rate * now) - sent):
            producer.send(predictions(), value, key=key)
            sent += 1
        if now >= thieves * BETWEEN:
            _steal(producer, f"thief-{time.time_ns()}")
            thieves += 1
        stage.supervisor.tend()
        time.sleep(TICK)
    producer.close()


def _steal(producer: KafkaProducer, name: str) -> None:
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
        producer.send(predictions(), encode_record(record), key=name.encode())


def _settled(stage: Stage, table: Timed) -> bool:
    """Tell whether everything sent is accounted for, and every thief's decision taken."""
    read = sum(accounted(stage)) >= written(stage.kafka.url, predictions())
    return read and all(verdict in table.taken for verdict, _ in stage.rows(THIEVES))


def _delays(stage: Stage, table: Timed) -> list[float]:
    """Return the ms of every decision that was taken."""
    return [(table.taken[verdict] - int(at)) / 1_000 for verdict, at in stage.rows(THIEVES) if verdict in table.taken]


def _percentiles(delays: list[float]) -> dict[str, Any]:
    if not delays:
        return {"decisions": 0}
    found = np.percentile(delays, list(PERCENTILES.values())).tolist()
    return {"decisions": len(delays), **{name: f"{value:.0f}" for name, value in zip(PERCENTILES, found, strict=True)}}
