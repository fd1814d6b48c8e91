"""Inline checks that answer on sockets of their own, in front of an app that says "behind"."""

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from gateway.guard import Guard, guarding
from gateway.inline import Checks, Names, within
from gateway.inline.envoy import answering
from gateway.middleware import App, Receive, Scope, Send
from gateway.settings import GatewaySettings
from tests.gateway.build import ALICE, until

URI = "/v1/models/digits:predict"


@dataclass
class Asked:
    """Checks that answer, and who asks them over HTTP."""

    guard: Guard
    url: str
    grpc: str
    thread: threading.Thread
    http: httpx.Client = field(repr=False)

    def ask(self, path: str = "/authz", uri: str = URI, **headers: str) -> httpx.Response:
        """Ask about alice's query, as a proxy does; headers with _ for -."""
        told = {"x-api-key": ALICE, "x-forwarded-uri": uri}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.get(path, headers=told)


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with 200 and "behind"; the least that an ASGI app can be."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"behind"})


@contextlib.contextmanager
def listening(app: Any) -> Iterator[tuple[str, threading.Thread]]:
    """Serve an app on a thread; yield where, and the thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), 20)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", thread
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def checking(settings: GatewaySettings, names: Names | None = None) -> Iterator[Asked]:
    """Answer checks over HTTP and gRPC until the block ends."""
    guard = guarding(settings, lambda _path: None)
    ports: list[int] = []

    @asynccontextmanager
    async def beside(checks: Checks) -> AsyncIterator[None]:
        async with answering(checks, "127.0.0.1", 0) as port:
            ports.append(port)
            yield

    app: App = within(behind, Checks(guard, names or Names()), beside)
    with listening(app) as (url, thread), httpx.Client(base_url=url) as http:
        yield Asked(guard, url, f"127.0.0.1:{ports[0]}", thread, http)
