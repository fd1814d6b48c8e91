"""Fixtures of the gateway's tests: a small real model, and a gateway that runs alone."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import GatewaySettings, Rate
from tests.gateway.build import CLASSES, SHAPE, TOKEN, Running, key_file, serving


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with digits.keras, a small convolutional network with random weights."""
    import keras  # noqa: PLC0415  # five seconds, only for tests that need it

    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Reshape((*SHAPE, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    folder = tmp_path_factory.mktemp("models")
    model.save(folder / "digits.keras")
    return folder


@pytest.fixture(scope="session")
def alone(models: Path, tmp_path_factory: pytest.TempPathFactory) -> GatewaySettings:
    """Return settings of a gateway without Kafka, with keys from a file."""
    return GatewaySettings(
        models=models,
        port=0,
        grace_seconds=1,
        keys_file=key_file(tmp_path_factory.mktemp("keys")),
        push_token=TOKEN,
        throttle=Rate(rows=3, seconds=60),
        body_bytes=200_000,
        rows_max=64,
    )


@pytest.fixture
def gateway(alone: GatewaySettings) -> Iterator[Running]:
    """Return a gateway that runs alone, fresh for each test."""
    with serving(alone) as running:
        yield running


@pytest.fixture(scope="session")
def shared_gateway(alone: GatewaySettings) -> Iterator[Running]:
    """Return a gateway for tests that leave nothing behind in it."""
    with serving(alone) as running:
        yield running


@pytest.fixture
def unused_tcp_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
