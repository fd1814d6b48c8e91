"""A receiver of alerts, as a security team would run one: real HTTP, every signature verified."""

import base64
import json
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from standardwebhooks import Webhook, WebhookVerificationError

from gamekeeper.demo.local_http import local_http

_LARGEST = 1 << 20  # bytes of an alert that are read


@dataclass(slots=True)
class Receiver:
    """What came in: alerts by type, and how many had no valid signature."""

    url: str
    secret: str
    alerts: Counter[str] = field(default_factory=Counter)
    forged: int = 0

    @property
    def received(self) -> int:
        """Return how many alerts were received with a valid signature."""
        return self.alerts.total()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive alerts on a free port of this machine for as long as the context lasts."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    receiver = Receiver("", secret)
    with local_http(_handler(receiver)) as port:
        receiver.url = f"http://127.0.0.1:{port}/alerts"
        yield receiver


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    verifier, lock, seen = Webhook(receiver.secret), threading.Lock(), set[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _LARGEST))
            status = 204
            with lock:
                try:
                    verifier.verify(body, {name.lower(): value for name, value in self.headers.items()})
                    _count(receiver, seen, self.headers["webhook-id"], body)
                except WebhookVerificationError:
                    receiver.forged += 1
                    status = 401
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: the screen is the demo's."""

    return Handler


def _count(receiver: Receiver, seen: set[str], identity: str, body: bytes) -> None:
    """Count an alert once: a delivery may be tried again under the same id."""
    if identity not in seen:
        seen.add(identity)
        receiver.alerts[str(json.loads(body).get("type", "?"))] += 1
