"""Builders with sane defaults: decisions, keys, and a gateway that serves on a socket of its own."""

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt

from detector.decision import Action, Decision, Key, Origin, Scope
from gateway import app
from gateway.access import hashed
from gateway.parts import Parts
from gateway.querylog import Answer
from gateway.server import Server, certified
from gateway.settings import GatewaySettings
from gateway.table import Asker
from gateway.tensors import Floats

SECOND = 1_000_000  # µs
FAR = 4_000_000_000 * SECOND  # the year 2096
AWAY = "127.0.0.1:1"  # nothing listens there
SHAPE = (8, 8)
CLASSES = 10
ALICE = "alice-key"
BOB = "bob-key"
TOKEN = "push-token"  # noqa: S105  # of the test's own gateway


def decision(serial: int = 1, action: Action = Action.BLOCK, **changes: object) -> Decision:
    """Return a decision about client alice and every model, in force until far."""
    members: dict[str, object] = {
        "id": serial,
        "serial": serial,
        "key": Key(Scope.CLIENT, "alice", "*"),
        "action": action,
        "until": FAR,
        "origin": Origin.DETECTOR,
        "reason": "a secret reason",
    }
    return Decision(**{**members, **changes})  # type: ignore[arg-type]  # a builder


def key_line(key: str, client: str, **members: object) -> str:
    """Return a line of a key file, which is also a record of the topic `keys`."""
    return json.dumps({"v": 1, "hash": hashed(key), "client": client, "tenant": "acme", **members})


def key_file(folder: Path) -> Path:
    """Write the keys of alice and bob and one each that is expired, revoked and without a role."""
    lines = [
        key_line(ALICE, "alice"),
        key_line(BOB, "bob"),
        key_line("expired", "carol", expires="2020-01-01T00:00:00Z"),
        key_line("revoked", "dave", revoked=True),
        key_line("no-role", "erin", roles=[]),
    ]
    path = folder / "keys.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def images(rows: int = 1, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return inputs of the test model."""
    return np.random.default_rng(seed).random((rows, *SHAPE), dtype=np.float32)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition. Raises AssertionError when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


class Running:
    """A gateway that serves, with a client without a key."""

    def __init__(self, parts: Parts, url: str) -> None:
        self.parts = parts
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20)

    def ask(self, rows: int = 1, key: str = ALICE, seed: int = 0) -> httpx.Response:
        """Ask model digits in the v1 form."""
        body = {"instances": images(rows, seed).tolist()}
        return self.http.post("/v1/models/digits:predict", json=body, headers={"X-API-Key": key})

    @property
    def calls(self) -> int:
        """How often the model was called."""
        return self.parts.models.served["digits"].calls


@contextlib.contextmanager
def serving(settings: GatewaySettings) -> Iterator[Running]:
    """Serve on a free port of a real socket, in a thread, until the block ends."""
    created = app.create(settings)
    parts: Parts = created.state.parts
    tls = certified(settings)
    server = Server(created, dataclasses.replace(settings, notice_seconds=0), tls, parts.drain)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), 20)
        port = server.servers[0].sockets[0].getsockname()[1]
        running = Running(parts, f"{'http' if tls is None else 'https'}://127.0.0.1:{port}")
        with running.http:
            yield running
    finally:
        server.should_exit = True
        thread.join(10)


def save_model(path: Path, seed: int = 0, classes: int = CLASSES, shape: tuple[int, ...] = SHAPE) -> Path:
    """Save a small model with random weights: a `.keras` file, or a SavedModel where the path has no suffix."""
    import keras  # noqa: PLC0415  # five seconds, only for tests that need it

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(classes, activation="softmax")])
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path) if path.suffix == ".keras" else model.export(path, verbose=False)
    return path


def throttled(inputs: Floats, true: Floats, served: Floats) -> Answer:
    """Return what alice, who is throttled, asked model digits and got, as the query log takes it."""
    return Answer(
        asker=Asker("alice", None, None),
        model="digits",
        time=1_795_521_600_000_000,
        status=200,
        decision=decision(action=Action.THROTTLE),
        input=inputs,
        output=true,
        served=served,
    )
