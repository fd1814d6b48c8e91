"""A model behind a real HTTP server on this machine, in the predict forms V1 and V2."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np

from gamekeeper.demo.local_http import local_http


@dataclass
class Server:
    """Answers `say(inputs)`, after `refusals` in turn: (status, headers) of each."""

    say: Callable[[Any], Any]
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    port: int = 0
    batches: list[int] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def url(self, path: str) -> str:
        """Return an address here."""
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, path: str, body: bytes) -> bytes:
        """Return the answer's body."""
        asked = json.loads(body)
        if path.endswith(":predict"):
            inputs = np.array(asked["instances"])
            self.batches.append(len(inputs))
            return json.dumps({"predictions": self.say(inputs)}).encode()
        [tensor] = asked["inputs"]
        assert (tensor["name"], tensor["datatype"]) == ("pixels", "FP32")
        said = np.array(self.say(np.array(tensor["data"]).reshape(tensor["shape"])))
        self.batches.append(len(said))
        output = {"name": "out", "shape": list(said.shape), "datatype": "FP32", "data": said.ravel().tolist()}
        return json.dumps({"outputs": [output]}).encode()


@contextmanager
def serving(say: Callable[[Any], Any], *refusals: tuple[int, dict[str, str]]) -> Iterator[Server]:
    """Serve on a free port."""
    served = Server(say, list(refusals))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, {}, json.dumps({"inputs": [{"name": "pixels"}]}).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            served.keys.append(self.headers["Authorization"])
            if served.refusals:
                self._send(*served.refusals.pop(0), b'{"error": "not\\nnow"}')
            else:
                self._send(200, {}, served.answer(self.path, body))

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with local_http(Handler) as port:
        served.port = port
        yield served
