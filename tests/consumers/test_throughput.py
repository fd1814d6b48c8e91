"""The throughput benchmark, tiny: every reader reads everything, and ours says the same of both forms."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.servers import Servers, apart
from benchmarks.throughput import command, stream
from benchmarks.world import MODEL, World
from detector.population import Population

QUERIES = 1_200
CLIENTS = 12
FAST = [
    "raw kafka-python",
    "kafka-python, unpacked swiftly",
    "raw confluent-kafka",
    "gamekeeper json",
    "gamekeeper batch",
]  # the others take seconds


@pytest.mark.slow  # a minute: four readers as processes of their own
def test_a_tiny_run(kafka: str, database: str, topics_prefix: str, plane: Population, tmp_path: Path) -> None:
    """Rates of all readers that were asked for; the same verdicts from JSON and batch records, and there are some."""
    with apart() as core:
        servers = Servers(kafka, database, core, tmp_path)
        written = stream.write(kafka, World(np.random.default_rng(0), 64), QUERIES, CLIENTS, topics_prefix)
        found = command.measure(servers, written, replace(plane, model=MODEL), FAST)

    assert list(found) == FAST
    assert written.batches < QUERIES / 10
    assert all(one.cpu > 0 and one.wall > 0 for one in found.values())
    ours = [found[name].notes for name in FAST[3:]]
    assert ours[0]["verdicts"] == ours[1]["verdicts"] > 0
    assert all(notes["checkpoints"] > 0 for notes in ours)
    rates = {name: command.rates(one, QUERIES) for name, one in found.items()}
    beside = {name: one.notes for name, one in found.items() if one.notes}
    spread = {name: (one.cpu, one.cpu) for name, one in found.items()}
    [table] = command.tables({"rates": rates, "beside": beside, "spread": spread, "note": ""})
    assert table.row_count == len(FAST)
