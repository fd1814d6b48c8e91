"""A small world without Keras: the digits of scikit-learn, and a model of its own that learnt some of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from benchmarks.arena.data import Data, Floats, Pool
from benchmarks.arena.stream import Stream, World
from benchmarks.arena.victim import Victim

PARTS = (600, 1_000, 1_200, 1_400, 1_600)  # of the digits: where training, past, honest, seeds and test end
EPOCHS = (1, 3, 8, 30)


def forward(model: Any) -> Callable[[Floats], Floats]:
    """Return a model of scikit-learn as the victim calls it."""
    return lambda inputs: np.asarray(model.predict_proba(inputs), np.float32)


def trained(pool: Pool, epochs: int) -> Any:
    """Return the state of one and the same training after some epochs."""
    model = MLPClassifier((32,), learning_rate_init=0.01, random_state=3)
    for _ in range(epochs):
        model.partial_fit(pool.inputs, pool.label, classes=np.arange(10))
    return model


def world() -> World:
    """Return the digits with a small model that learnt some of them."""
    training, past, honest, seeds, test = pools()
    data = Data(
        name="digits",
        shape=(8, 8),
        classes=10,
        training=training,
        past=past,
        honest=honest,
        seeds=seeds,
        test=test,
        foreign=np.random.default_rng(2).random((500, 64), np.float32),
        low=np.zeros(64, np.float32),
        high=np.ones(64, np.float32),
        whole=np.zeros(64, np.bool_),
    )
    states = [forward(trained(training, epochs)) for epochs in EPOCHS]
    return World(data, Victim(states[-1], states[:-1], accuracy=0.95), seed=4)


def pools() -> list[Pool]:
    """Return the digits in disjoint parts."""
    inputs, label = load_digits(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(label))[: PARTS[-1]]
    return [
        Pool((inputs[rows] / 16).astype(np.float32), label[rows].astype(np.int64))
        for rows in np.split(order, PARTS[:-1])
    ]


def asked(world: World, name: str, inputs: Floats) -> Stream:
    """Return a client's queries with the model's answers."""
    return Stream(name, "test", inputs, world.victim.ask(inputs))
