"""What the ways share: Kafka, Postgres, `deliver`, `api` with inline checks, a model server, and clients with keys."""

import http.client
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Engine

from benchmarks.servers import Servers
from consumers import topics
from consumers.store import keys, migrate
from consumers.store.engine import connect
from consumers.store.people import Said
from gamekeeper import settings
from gamekeeper.embedded.server import free_port
from gamekeeper.supervisor import Spec, Supervisor
from tests.deploy.front import QUERY
from tests.gateway.build import key_line, save_model

READY_SECONDS: Final = 300.0  # of two gateways that load TensorFlow, on a busy machine
SAID: Final = Said("benchmark", "enforcement")


@dataclass(frozen=True, slots=True)
class Way:
    """Where queries are asked that a decision comes to by this way."""

    url: str
    push: str = ""  # where `deliver` is to push it, if so
    addresses: bool = False  # decisions on addresses are all that it takes

    def status(self, client: str, secret: str) -> int:
        """Ask one query, which is no question to the model, and return the answer's status."""
        headers = {"X-API-Key": secret, "X-Address": address(client), "Content-Type": "application/json"}
        link = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            link.request("POST", QUERY, b"{}", headers)
            answer = link.getresponse()
            answer.read()  # who hangs up before the end disturbs others
        except OSError:  # it does not listen yet
            return 0
        finally:
            link.close()
        return answer.status


def address(client: str) -> str:
    """Return where a client asks from (RFC 2544's addresses for benchmarks)."""
    number = int(client.rpartition("-")[2])
    return f"198.18.{number // 256}.{number % 256}"


@dataclass(slots=True)
class World:
    """The servers, our processes, and the clients' secrets by name."""

    servers: Servers
    engine: Engine
    secrets: Mapping[str, str]
    model: int  # the port of a model server that is not ours
    api: int = field(default_factory=free_port)
    grpc: int = field(default_factory=free_port)
    supervisor: Supervisor = field(default_factory=Supervisor)

    @property
    def folder(self) -> Path:
        """Where the benchmark's files are."""
        return self.servers.folder

    def start(self, name: str, command: Sequence[str], changes: Mapping[str, str], health: str | None = None) -> None:
        """Start a `gamekeeper` command under a name, with these settings beside the servers'."""
        told = {
            "KAFKA_BOOTSTRAP_SERVERS": self.servers.kafka,
            "DATABASE_URL": self.servers.postgres,
            "GAMEKEEPER_LOG_FORMAT": "json",
        }
        self.supervisor.start(
            Spec(
                name,
                (sys.executable, "-m", "gamekeeper", *command),
                settings.environment({**told, **changes}),
                self.folder / f"{name}.log",
                health,
            )
        )

    def start_api(self) -> None:
        """Start `api`, which answers inline checks."""
        told = {
            "GAMEKEEPER_AUTHZ": "yes",
            "GAMEKEEPER_API_PORT": str(self.api),
            "GAMEKEEPER_AUTHZ_GRPC_PORT": str(self.grpc),
        }
        self.start("api", ["api"], told, f"http://127.0.0.1:{self.api}/healthz")

    def start_deliver(self, pushes: Mapping[str, str]) -> None:
        """Start `deliver`, which pushes decisions to these places, by name."""
        told = {"GAMEKEEPER_PUSH": ",".join(f"{name}={url}" for name, url in pushes.items())}
        self.start("deliver", ["deliver"], {**told, "GAMEKEEPER_PUSH_TOKEN": "benchmark"})

    def gateway(self, name: str, changes: Mapping[str, str], *arguments: str) -> str:
        """Start a gateway of ours with a model of its own; return where it answers."""
        port = free_port()
        file = save_model(self.folder / name / "digits.keras")
        told = {"GAMEKEEPER_GATEWAY_NAME": name, **changes}
        url = f"http://127.0.0.1:{port}"
        command = ["gateway", "--model", str(file), "--port", str(port), *arguments]
        self.start(name, command, told, f"{url}/v2/health/ready")
        return url

    def key_file(self) -> Path:
        """Write the clients' keys as a gateway without Kafka reads them."""
        path = self.folder / "keys.jsonl"
        path.write_text("\n".join(key_line(secret, client) for client, secret in self.secrets.items()))
        return path


@contextmanager
def built(servers: Servers, model: int, clients: Sequence[str]) -> Iterator[World]:
    """Build a world in which each client has a key; nothing of it is left at the end."""
    migrate.upgrade(servers.postgres)
    topics.ensure(servers.kafka, 1)
    engine = connect(servers.postgres)
    secrets = {client: keys.add_client_key(engine, keys.Holder(client), SAID).secret for client in clients}
    world = World(servers, engine, secrets, model)
    try:
        yield world
    finally:
        world.supervisor.stop()
        engine.dispose()
