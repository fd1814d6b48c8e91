"""Fixtures of the gateway's tests: a small real model, and a gateway that runs alone."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.access import Access, KeyRing
from gateway.policy import parse
from gateway.settings import GatewaySettings
from tests.gateway.build import CLASSES, SHAPE, TOKEN, Running, key_file, serving, until

if TYPE_CHECKING:
    from tests.gateway.issuer import LocalIssuer


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
        policy=parse("[defaults.throttle]\nlimit = {rate = 0.05, burst = 3}"),
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


@pytest.fixture(scope="session")
def issuer() -> Iterator["LocalIssuer"]:
    """Return an issuer of tokens for tests that leave it as it is."""
    from tests.gateway.issuer import issuing  # noqa: PLC0415  # makes keys, only for tests that need them

    with issuing() as running:
        yield running


@pytest.fixture(scope="session")
def door(issuer: "LocalIssuer") -> Iterator[Access]:
    """Return a door that knows the issuer's keys."""
    from tests.gateway.issuer import trusted  # noqa: PLC0415  # as above

    door = Access(KeyRing(()), [trusted(issuer)])
    door.tokens.start()
    until(lambda: door.tokens._known[issuer.url][1].keys)
    yield door
    door.tokens.stop()
