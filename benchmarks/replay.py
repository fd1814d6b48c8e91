"""Replay: JSON records a second through decode and detector in one process, without Kafka and Postgres.

The records hold 64 float32 each (or --floats), from clients in zipf(1.2) shares; decoding alone is timed beside
it in the same run. The population is learnt from as many clients of the same kind.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.replay import Options, Outputs, replay
from detector.learning import learn
from detector.policy import Policy
from detector.population import Population
from detector.query import Queries, Shape, join
from detector.records import Input, Output, Record, encode_record
from detector.times import format_time
from detector.wire import RawRecord, decode

CLASSES = 10
CLIENTS = 1_000
MODEL = "bench"
Seconds = tuple[float, float]  # on the clock, of CPU
START = 1_750_000_000_000_000  # µs
BATCH = 4_096


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--floats", type=int, default=64)


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Time decode alone and the whole replay over `chosen.records` records of `chosen.floats` floats."""
    random = np.random.default_rng(0)
    lines = _records(random, chosen.records, chosen.floats)
    shapes: dict[str, Shape] = {MODEL: (chosen.floats,)}
    population = learn([_population_queries(random, chosen.floats)], shapes[MODEL])
    _replay(lines[: chosen.records // 10], population)  # warms the kernels
    seconds = {"decode alone": _decode(lines, shapes), "replay": _replay(lines, population)}
    return {"rows": [_row(name, len(lines), *both) for name, both in seconds.items()]}


def _row(name: str, records: int, wall: float, cpu: float) -> dict[str, Any]:
    return {"what": name, "records": records, "a second": records / wall, "a second of CPU": records / cpu}


def _records(random: np.random.Generator, count: int, floats: int) -> list[bytes]:
    inputs = random.normal(size=(count, floats)).astype("<f4")
    centres = random.normal(size=(floats, CLASSES)).astype("<f4")
    clients = (random.zipf(1.2, count) - 1) % CLIENTS
    return [_record(at, inputs[at], centres, f"client-{clients[at]}") for at in range(count)]


def _record(at: int, x: npt.NDArray[np.float32], centres: npt.NDArray[np.float32], client: str) -> bytes:
    logits = x @ centres
    probabilities = np.exp(logits - logits.max())
    return encode_record(
        Record(
            id=f"{at:026d}",
            time=format_time(START + at * 1_000),
            model=MODEL,
            client=client,
            input=Input(shape=[len(x)], dtype="float32", data=x.tobytes()),
            output=Output(probabilities=(probabilities / probabilities.sum()).tolist()),
        )
    )


def _population_queries(random: np.random.Generator, floats: int) -> Queries:
    raw = [RawRecord(line, None, None, at) for at, line in enumerate(_records(random, 20_000, floats))]
    return join(decode(raw, {MODEL: (floats,)}).queries)


def _decode(lines: list[bytes], shapes: dict[str, Shape]) -> Seconds:
    started = _clocks()
    for at in range(0, len(lines), BATCH):
        decode([RawRecord(line, None, None, at) for line in lines[at : at + BATCH]], shapes)
    return _since(started)


def _replay(lines: list[bytes], population: Population) -> Seconds:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "records.jsonl")
        file.write_bytes(b"\n".join(lines) + b"\n")
        started = _clocks()
        replay([str(file)], {MODEL: population}, Policy(), Outputs(Path(folder, "v"), None, None), Options())
        return _since(started)


def _clocks() -> Seconds:
    return time.perf_counter(), time.process_time()


def _since(started: Seconds) -> Seconds:
    now = _clocks()
    return now[0] - started[0], now[1] - started[1]
