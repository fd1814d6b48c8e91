"""A proxy with its configuration of deploy/, in front of a model server that says what reached it."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx

from detector.decision import Action, Decision, Key, Scope
from gamekeeper.demo.local_http import local_http
from gateway.policy import parse
from gateway.settings import GatewaySettings
from tests.consumers.road import ROOT, free_port, until
from tests.gateway.build import decision, key_line
from tests.gateway.inline import Asked, checking

CLIENTS = ("honest", "thief", "slow", "coarse")
BAD_ADDRESS = "127.0.0.2"  # of this machine, as all of 127.0.0.0/8 is
DECISIONS: tuple[Decision, ...] = (
    decision(key=Key(Scope.CLIENT, "thief", "digits")),
    decision(key=Key(Scope.CLIENT, "slow", "*"), action=Action.THROTTLE),
    decision(key=Key(Scope.CLIENT, "coarse", "digits"), action=Action.PERTURB),
    decision(key=Key(Scope.CLIENT, "honest", "digits"), shadow=True),
    decision(key=Key(Scope.IP, BAD_ADDRESS, "*")),
)
FORGED = {b"x-gamekeeper-client": b"forged", b"x-gamekeeper-action": b"forged"}
QUERY = "/v1/models/digits:predict"


@dataclass
class Model:
    """A model server, and what reached it."""

    port: int = 0
    received: list[str] = field(default_factory=list)  # bodies


@contextmanager
def model() -> Iterator[Model]:
    """Serve a model that answers with the path, headers and body that reached it."""
    serving = Model()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            serving.received.append(body)
            told = {
                "path": self.path,
                "body": body,
                "headers": {name.lower(): told for name, told in self.headers.items()},
            }
            answer = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with local_http(Handler) as port:
        serving.port = port
        yield serving


@dataclass(frozen=True)
class Front:
    """A proxy that runs, and the model behind it."""

    url: str
    model: Model
    header: str = "x-api-key"  # says who asks
    said: str = "{}-key"  # what it says, by the client's name

    def ask(self, client: str, body: str = "[]", address: str = "127.0.0.1", **more: Any) -> httpx.Response:
        """Ask the model as a client, from an address, with headers in our name."""
        headers = {self.header.encode(): self.said.format(client).encode(), **FORGED}
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=10) as http:
            return http.post(self.url + QUERY, content=body, headers=headers, **more)


def configured(name: str, folder: Path, changed: Mapping[str, str]) -> Path:
    """Write a file of deploy/ into a folder, with what is the operator's to change changed; return where."""
    text = (ROOT / "deploy" / name).read_text()
    for before, after in changed.items():
        assert before in text, f"{name} does not say {before}"
        text = text.replace(before, after)
    written = folder / Path(name).name
    written.write_text(text)
    return written


@contextmanager
def checks(folder: Path) -> Iterator[Asked]:
    """Answer checks with every client's key known and the decisions in force."""
    keys = folder / "keys.jsonl"
    keys.write_text("\n".join(key_line(f"{client}-key", client) for client in CLIENTS))
    policy = parse("[defaults.throttle]\nlimit = {rate = 0.05, burst = 2}")
    with checking(GatewaySettings(keys_file=keys, policy=policy)) as asked:
        for one in DECISIONS:
            asked.guard.table.apply(one)
        yield asked


@contextmanager
def running(command: list[str], port: int, log: Path, **how: Any) -> Iterator[str]:
    """Run a proxy until the block ends; yield where it answers, once it does."""
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **how) as process:
        try:
            until(lambda: process.poll() is not None or _listens(url))
            assert process.poll() is None, log.read_text()[-3000:]
            yield url
        finally:
            process.terminate()


def _listens(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.ConnectError:
        return False
    except httpx.HTTPError:
        return True
    return True


def places(api: str, model_port: int) -> tuple[int, dict[str, str]]:
    """Return a free port, and what to change so that a proxy listens there between our api and a model."""
    port = free_port()
    api_port = api.rpartition(":")[2]
    return port, {"8000": str(port), "8081": api_port, "8501": str(model_port)}
