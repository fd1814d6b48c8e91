"""The receiver of alerts: keeps what came under which id; some first tries it refuses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from standardwebhooks import Webhook

from gamekeeper.demo.local_http import local_http

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # the example of the specification
REFUSED = 7  # of so many alerts one is answered with 503 the first time


@dataclass(slots=True)
class Hook:
    """What was received: the bodies by `webhook-id`."""

    url: str = ""
    received: dict[str, set[bytes]] = field(default_factory=dict)


@contextmanager
def hooked() -> Iterator[Hook]:
    """Receive on a free port of this machine for as long as the context lasts."""
    hook, verifier, lock = Hook(), Webhook(SECRET), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            verifier.verify(body, {name.lower(): value for name, value in self.headers.items()})
            with lock:
                status = _answer(hook, self.headers["webhook-id"], body)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with local_http(Handler) as port:
        hook.url = f"http://127.0.0.1:{port}/alerts"
        yield hook


def _answer(hook: Hook, identity: str, body: bytes) -> int:
    """Keep an alert and return the status to answer with."""
    first = identity not in hook.received
    hook.received.setdefault(identity, set()).add(body)
    return 503 if first and len(hook.received) % REFUSED == 0 else 204
