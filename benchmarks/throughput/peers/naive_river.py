"""The obvious program: json.loads and river objects for each client, state in memory only, lost with the process.

One half-space forest of the model scores each query; of each client twelve moving averages, an entropy and a drift
detector are kept (a forest for each client would be a megabyte each).
"""

import base64
import json
from typing import Any

import numpy as np

from benchmarks.throughput.measured import Clock, Measured, Told
from benchmarks.throughput.peers.raw_kafka_python import polled

FEATURES = 12


def run(told: Told) -> Measured:
    """Read the topic."""
    from river import anomaly  # noqa: PLC0415  # takes a second

    forest: Any = anomaly.HalfSpaceTrees(n_trees=10, height=8, seed=0)
    clients: dict[str, Client] = {}
    projection = np.random.default_rng(0).normal(size=(1 << 16, FEATURES)).astype(np.float32)
    batches = polled(told)
    clock = Clock()
    for records in batches:
        for record in records:
            asked = json.loads(record.value)
            values = np.frombuffer(base64.b64decode(asked["input"]["data"]), "<f4")
            features = dict(enumerate((values @ projection[: len(values)]).tolist()))
            score = forest.score_one(features)
            forest.learn_one(features)
            if asked["client"] not in clients:
                clients[asked["client"]] = Client()
            clients[asked["client"]].follow(features, score, asked["output"]["probabilities"])
    return clock.read()


class Client:
    """What is kept of a client."""

    def __init__(self) -> None:
        from river import drift, stats  # noqa: PLC0415

        self.averages = [stats.EWMean(0.05) for _ in range(FEATURES)]
        self.labels: Any = stats.Entropy(fading_factor=1)
        self.drift: Any = drift.PageHinkley()

    def follow(self, features: dict[int, float], score: float, probabilities: list[Any]) -> None:
        """Take one query."""
        for average, value in zip(self.averages, features.values(), strict=True):
            average.update(value)
        self.labels.update(probabilities.index(max(probabilities)))
        self.drift.update(score)
