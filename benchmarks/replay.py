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
from detector.query import Queries, join
from detector.records import Input, Output, Record, encode_record, format_time
from detector.wire import RawRecord, decode

CLASSES = 10
CLIENTS = 1_000
MODEL = "bench"
START = 1_750_000_000_000_000  # µs
BATCH = 4_096


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Time decode alone and the whole replay over `options.records` records of `options.floats` floats."""
    random = np.random.default_rng(0)
    lines = _records(random, options.records, options.floats)
    shapes = {MODEL: (options.floats,)}
    population = learn([_population_queries(random, options.floats)], shapes[MODEL], Policy())
    _replay(lines[: options.records // 10], population)  # warms the kernels
    decode_seconds = _decode(lines, shapes)
    replay_seconds = _replay(lines, population)
    rates = {"decode alone": len(lines) / decode_seconds, "replay": len(lines) / replay_seconds}
    return {"rows": [{"what": name, "records": len(lines), "records a second": rate} for name, rate in rates.items()]}


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


def _decode(lines: list[bytes], shapes: dict[str, tuple[int, ...]]) -> float:
    started = time.perf_counter()
    for at in range(0, len(lines), BATCH):
        decode([RawRecord(line, None, None, at) for line in lines[at : at + BATCH]], shapes)
    return time.perf_counter() - started


def _replay(lines: list[bytes], population: Population) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "records.jsonl")
        file.write_bytes(b"\n".join(lines) + b"\n")
        started = time.perf_counter()
        replay([str(file)], {MODEL: population}, Policy(), Outputs(Path(folder, "v"), None, None), Options())
        return time.perf_counter() - started
