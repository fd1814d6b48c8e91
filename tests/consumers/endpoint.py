"""A real HTTP endpoint that answers as it is told and keeps what it got."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from gamekeeper.demo.local_http import local_http


@dataclass
class Endpoint:
    """Answers with `statuses` in turn, the last for ever."""

    statuses: list[int]
    headers: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    body: bytes = b""  # of each answer
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def status(self) -> int:
        """Return what to answer now."""
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def listening(*statuses: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Iterator[Endpoint]:
    """Serve an endpoint on a free port of this machine."""
    endpoint = Endpoint(list(statuses), headers or {}, body=body)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            endpoint.methods.append(self.command)
            endpoint.received.append((self.path, dict(self.headers), body))
            self.send_response(endpoint.status())
            for name, value in endpoint.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(endpoint.body)))
            self.end_headers()
            self.wfile.write(endpoint.body)

        def do_DELETE(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with local_http(Handler) as port:
        endpoint.port = port
        yield endpoint
