"""`gamekeeper up`: the whole system on one machine, until Ctrl-C.

Embedded Kafka and Postgres (or those that the settings name), the schema, the topics, the demo's model with a
population learnt beforehand and three client keys, then `detect`, `deliver`, `api` and `gateway` as processes.
"""

import json
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console
from sqlalchemy import Engine

from consumers import topics
from consumers.store import keys, populations
from consumers.store.engine import connect
from consumers.store.migrate import upgrade
from consumers.store.people import Said
from detector.population import load
from gamekeeper import brokers, embedded
from gamekeeper.demo import assets
from gamekeeper.embedded.server import free_port
from gamekeeper.files import write_atomically
from gamekeeper.settings import ENDPOINTS, Settings, environment, writable_cache
from gamekeeper.supervisor import Spec, Supervisor

Beat = Callable[[str], None]
READY_SECONDS = 110.0
CLIENTS = ("client-1", "client-2", "client-3")
PROCESSES = ("detect", "deliver", "api", "gateway")
WHO = Said(who="gamekeeper up", why="first start")
_TEND_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Parts:
    """The Kafka and the Postgres in use, and our own processes' ports and secrets."""

    bootstrap: str
    database: str
    ports: Mapping[str, int]  # of each process: where it answers /healthz
    push_token: str


def run(settings: Settings, data: Path, endpoints: Path | None) -> None:
    """Run until SIGINT or SIGTERM. Raises NotReady, and whatever says that a part cannot start."""
    console = Console(stderr=True)
    data = data.expanduser().resolve()
    data.mkdir(parents=True, exist_ok=True)
    told = [data / ENDPOINTS, *([endpoints] if endpoints else [])]
    _forget(told)  # a stale one would say "ready" too early
    with left_by_signal(), _status(console) as beat, services(settings, data, beat) as there:
        supervisor = Supervisor()
        try:
            kept = _prepare(settings, data, Parts(there.bootstrap, there.database, free_ports(), ""), beat)
            for spec in specs(settings, kept.parts, data, kept.models):
                supervisor.start(spec)
            supervisor.wait_ready(READY_SECONDS, beat)
            _announce(kept, data, told, console)
            _tend(supervisor, there.embedded, beat)
        finally:
            beat("stopping")
            _forget(told)
            supervisor.stop()


def _forget(told: Sequence[Path]) -> None:
    for file in told:
        file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Services:
    """The Kafka and the Postgres in use; `embedded` are those that we started ourselves."""

    bootstrap: str
    database: str
    embedded: tuple[embedded.Server, ...]


@contextmanager
def services(settings: Settings, data: Path, beat: Beat) -> Iterator[Services]:
    """Yield the Kafka and the Postgres of the settings, else embedded ones that keep their data in `data`."""
    with ExitStack() as stack:
        servers: list[embedded.Server] = []
        database, bootstrap = settings.database_url, settings.kafka_bootstrap_servers
        if not database:
            servers.append(embedded.start_postgres(data / "postgres", _progress(beat)))
            stack.callback(servers[-1].stop)
            database = servers[-1].url
        if not bootstrap:
            servers.append(embedded.start_kafka(data / "kafka", writable_cache(settings, data), _progress(beat)))
            stack.callback(servers[-1].stop)
            bootstrap = servers[-1].url
        yield Services(bootstrap, database, tuple(servers))


def _progress(beat: Beat) -> embedded.Progress:
    return lambda what, share: beat(f"{what} {share:.0%}" if share else what)


@contextmanager
def left_by_signal() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into SystemExit(0), at whatever step; later ones do not disturb the stopping."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(0)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_ports() -> dict[str, int]:
    """Return a free port for each process."""
    ports: dict[str, int] = {}
    for name in PROCESSES:
        port = free_port()
        while port in ports.values():
            port = free_port()
        ports[name] = port
    return ports


def specs(settings: Settings, parts: Parts, data: Path, models: Path) -> list[Spec]:
    """Return how to run each of our processes."""
    logs = data / "logs"
    logs.mkdir(exist_ok=True)
    found = []
    for name in PROCESSES:
        command = (sys.executable, "-m", "gamekeeper", name)
        found.append(
            Spec(name, command, _environment(settings, parts, models, name), logs / f"{name}.log", _health(parts, name))
        )
    return found


def prepare_store(settings: Settings, bootstrap: str, database: str) -> Engine:
    """Bring schema and topics up to date; return an engine."""
    upgrade(database, settings.schema)
    topics.ensure(brokers.reached(settings, bootstrap), settings.partitions, settings.topic_prefix)
    return connect(database, settings.schema)


@dataclass(frozen=True, slots=True)
class _Kept:
    parts: Parts
    models: Path
    model: str
    shape: tuple[int, ...]
    secrets: Mapping[str, Any]


def _prepare(settings: Settings, data: Path, parts: Parts, beat: Beat) -> _Kept:
    beat("schema and topics")
    engine = prepare_store(settings, parts.bootstrap, parts.database)
    made = assets.prepare(data / "demo", beat)
    _put_in_force(engine, made.population_path)
    kept = _secrets(engine, data / "secrets.json", settings.key_pepper.encode())
    engine.dispose()
    parts = Parts(parts.bootstrap, parts.database, parts.ports, kept["push_token"])
    return _Kept(parts, made.model_path.parent, made.model_name, made.shape, kept)


def _put_in_force(engine: Engine, file: Path) -> None:
    """Put the population that was learnt beforehand in force for models that have none wanted yet."""
    data = file.read_bytes()
    wanted = populations.wanted(engine)
    fresh = {model: population for model, population in load(data).items() if model not in wanted}
    if fresh:
        populations.put(engine, data, WHO.who)
    for model, population in fresh.items():
        populations.use(engine, model, population.version, WHO.who)


def _secrets(engine: Engine, file: Path, pepper: bytes) -> dict[str, Any]:
    """Return keys and tokens: kept from the first start (readable by the owner only), since keys are shown once."""
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    made = {
        "client_keys": {
            client: keys.add_client_key(engine, keys.Holder(client), WHO, pepper).secret for client in CLIENTS
        },
        "bouncer_key": keys.add_bouncer_key(engine, "up", WHO, pepper).secret,
        "push_token": secrets.token_urlsafe(32),
    }
    write_atomically(file, json.dumps(made, indent=2))
    return made


def _environment(settings: Settings, parts: Parts, models: Path, name: str) -> dict[str, str]:
    port = str(parts.ports[name])
    return environment({
        "KAFKA_BOOTSTRAP_SERVERS": parts.bootstrap,
        "DATABASE_URL": parts.database,
        "GAMEKEEPER_MODELS": str(models),
        "GAMEKEEPER_METRICS_PORT": port,
        "GAMEKEEPER_API_PORT": port,
        "GAMEKEEPER_GATEWAY_PORT": port,
        "GAMEKEEPER_HOST": "127.0.0.1",
        "GAMEKEEPER_PUSH_TOKEN": parts.push_token,
        "GAMEKEEPER_LOG_FORMAT": settings.log_format,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    })  # fmt: skip


def _health(parts: Parts, name: str) -> str:
    path = "/v2/health/ready" if name == "gateway" else "/healthz"
    return f"http://127.0.0.1:{parts.ports[name]}{path}"


def _announce(kept: _Kept, data: Path, told: Sequence[Path], console: Console) -> None:
    urls = {name: f"http://127.0.0.1:{port}" for name, port in kept.parts.ports.items()}
    content = {
        "kafka": kept.parts.bootstrap,
        "database": kept.parts.database,
        "api": urls["api"],
        "gateway": urls["gateway"],
        "metrics": {name: f"{url}/metrics" for name, url in urls.items()},
        "bouncer_key": kept.secrets["bouncer_key"],
        "client_keys": kept.secrets["client_keys"],
        "model": kept.model,
        "shape": list(kept.shape),
        "data": str(data),
    }
    for file in told:
        write_atomically(file, json.dumps(content, indent=2) + "\n")
    console.print("[bold]Gamekeeper is up.[/bold] Stop with Ctrl-C.")
    for name, what in (
        ("model", f"{urls['gateway']}/v1/models/{kept.model}:predict"),
        ("console", f"{urls['api']}/ (`gamekeeper keys add YOU --api respond` makes the key that opens it)"),
        ("visitors", "`gamekeeper visit` lets honest clients and a thief come"),
        ("data", data),
    ):
        console.print(f"  {name:8} {what}", highlight=False, markup=False, soft_wrap=True)


def _tend(supervisor: Supervisor, servers: Sequence[embedded.Server], beat: Beat) -> NoReturn:
    beat("up")
    while True:
        for server in servers:
            if not server.alive:
                beat(f"{server.plan.name} died and is started again")
                server.start()
        for name in supervisor.tend():
            beat(f"{name} died and is started again")
        time.sleep(_TEND_SECONDS)


@contextmanager
def _status(console: Console) -> Iterator[Beat]:
    """Yield what shows progress: a live line on a terminal, elsewhere a line whenever it says something new."""
    if console.is_terminal:
        with console.status("starting") as status:
            yield status.update
        return
    last = [""]

    def say(text: str) -> None:
        if text != last[0]:
            console.print(text, highlight=False)
        last[0] = text

    yield say
