"""The guard, as plain ASGI middleware around the reference app or anyone's own: access, decisions, limits, log.

A request without a good key, and a query of a blocked or too fast client, never reaches the app. The app takes its
Grant (`grant_of`) and hands its model's answer to `Grant.answer`, which logs it and returns what to serve.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.address import client_ip
from gateway.faults import Fault
from gateway.grant import Grant, granted, now
from gateway.guard import Guard

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

STATE = "gamekeeper"  # the name in scope["state"]
POLICY_VIOLATION = 1008  # WebSocket close code


class Middleware:
    """Guards an ASGI app. HTTP only: a WebSocket is refused, for nobody would watch what passes through it."""

    def __init__(self, app: App, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        elif scope["type"] != "http" or scope["path"] in self._guard.rules.open_paths:
            await self._app(scope, receive, send)
        else:
            await self._guarded(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        metrics = self._guard.metrics
        grant: Grant | None = None

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics.requests.labels(str(message["status"])).inc()
                if grant is not None:
                    said = {**grant.headers, **self._guard.headers()}
                    message["headers"] = [*message.get("headers", ()), *_raw(said)]
            await send(message)

        try:
            grant = self._admit(scope)
            if grant is not None:
                await grant.check()
        except Fault as fault:
            self._guard.refused(fault)
            await refuse(fault, counted)
        else:
            if grant is not None:
                scope.setdefault("state", {})[STATE] = grant
            await self._app(scope, receive, counted)
        metrics.seconds.observe(time.perf_counter() - started)

    def _admit(self, scope: Scope) -> Grant | None:
        """Return leave to query, or None where the path is no query. Raises Fault."""
        guard = self._guard
        identity = guard.access.admit(scope["headers"], now())
        model = guard.rules.model_of(scope["path"])
        if model is None:
            guard.access.allow(identity, guard.rules.told_of(scope["path"]), "metadata")
            return None
        peer = scope["client"][0] if scope.get("client") else None
        return granted(guard, identity, model, client_ip(peer, scope["headers"], guard.policy.proxies))


async def refuse(fault: Fault, send: Send) -> None:
    """Send a refusal as JSON."""
    body = fault.body()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **fault.headers}
    await send({"type": "http.response.start", "status": fault.status, "headers": _raw(headers)})
    await send({"type": "http.response.body", "body": body})


async def told(_request: Request, fault: Exception) -> Response:
    """Answer a Fault raised in the app: the exception handler for Starlette and FastAPI. Raises anything else."""
    if not isinstance(fault, Fault):
        raise fault
    return Response(fault.body(), fault.status, dict(fault.headers), media_type="application/json")


def grant_of(scope: Scope) -> Grant:
    """Return the Grant of a guarded query. Raises LookupError where the path is not one."""
    grant = scope.get("state", {}).get(STATE)
    if isinstance(grant, Grant):
        return grant
    raise LookupError("this path is not guarded as a query: see Rules.model_of")


def about(scope: Scope) -> dict[str, str]:
    """Return what our log says of a refused request, as far as it is known."""
    grant = scope.get("state", {}).get(STATE)
    return grant.about if isinstance(grant, Grant) else {}


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
