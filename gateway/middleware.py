"""The guard, as plain ASGI middleware around the reference app or anyone's own: access, decisions, limits, log.

A request without a good key, and a query of a blocked or too fast client, never reaches the app. The app takes its
Grant (`grant_of`) and hands its model's answer to `Grant.answer`, which logs it and returns what to serve.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from detector.decision import Action, Decision
from detector.records import format_time
from gateway.access import presented
from gateway.faults import Fault, blocked, too_large, too_many
from gateway.guard import Guard
from gateway.limits.limiter import Spent
from gateway.limits.policy import Applied
from gateway.metrics import Metrics
from gateway.outputs import LADDER, Asked, served
from gateway.querylog import Answer
from gateway.table import Asker

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Floats = npt.NDArray[np.float32]

STATE = "gamekeeper"  # the name in scope["state"]
POLICY_VIOLATION = 1008  # WebSocket close code


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to ask `model` once, under the decision in force (None: nothing holds against the client)."""

    asker: Asker
    model: str
    decision: Decision | None
    _guard: Guard
    headers: dict[str, str] = field(default_factory=dict)  # of the answer: how the limits stand

    @property
    def action(self) -> Action:
        """What the decision in force asks for."""
        return Action.ALLOW if self.decision is None else self.decision.action

    async def spend(self, rows: int) -> None:
        """Count `rows` queries against the limits, all or none. Raises Fault (429, 413, 503), and logs it."""
        limiter = self._guard.limiter
        self._take(await limiter.spend(self.asker, self.model, rows, self._applied()))

    def answer(self, inputs: Floats, probabilities: Floats) -> Floats:
        """Log n predictions (inputs [n, …], the model's own probabilities [n, K], float32) and return what to serve."""
        answered = served(LADDER[self.action], Asked(self.model, probabilities, b""))  # no step of it draws noise
        answer = Answer(
            asker=self.asker,
            model=self.model,
            time=_now(),
            status=200,
            decision=self.decision,
            input=inputs,
            output=probabilities,
            served=answered if answered is not probabilities else None,
        )
        self._guard.log.put(answer)
        self._guard.metrics.rows.labels(self.model, self.action.word).inc(len(probabilities))
        return answered

    async def check(self) -> None:
        """Raise Fault (403, 429, 503) where this query is refused whatever it asks, and log that. Spends nothing."""
        if self.decision is not None and self.action is Action.BLOCK:
            self._refuse(_blocked(self.decision))
        limiter = self._guard.limiter
        self._take(await limiter.look(self.asker, self.model, self._applied()))

    def _applied(self) -> Applied:
        rules = self._guard.rules
        return Applied(rules.limits, rules.throttle if self.action is Action.THROTTLE else None)

    def _take(self, spent: Spent) -> None:
        self.headers.update(spent.headers)
        if spent.refused is not None:
            self._refuse(_limited(spent))

    def _refuse(self, fault: Fault) -> None:
        self._guard.log.put(Answer(self.asker, self.model, _now(), fault.status, self.decision))
        raise fault


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
                    message["headers"] = [*message.get("headers", ()), *_raw(grant.headers)]
            await send(message)

        try:
            grant = self._admit(scope)
            if grant is not None:
                await grant.check()
        except Fault as fault:
            await refuse(fault, counted, metrics)
        else:
            if grant is not None:
                scope.setdefault("state", {})[STATE] = grant
            await self._app(scope, receive, counted)
        metrics.seconds.observe(time.perf_counter() - started)

    def _admit(self, scope: Scope) -> Grant | None:
        """Return leave to query, or None where the path is no query. Raises Fault."""
        guard, now = self._guard, _now()
        key = guard.access.admit(presented(scope["headers"]), now)
        model = guard.rules.model_of(scope["path"])
        if model is None:
            return None
        fault = guard.shut()
        if fault is not None:
            raise fault
        asker = Asker(key.client, key.tenant, scope["client"][0] if scope.get("client") else None)
        return Grant(asker, model, guard.table.find(asker, model, now), guard)


async def refuse(fault: Fault, send: Send, metrics: Metrics) -> None:
    """Send a refusal as JSON and count it."""
    metrics.refusals.labels(fault.code).inc()
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


def _blocked(decision: Decision) -> Fault:
    return blocked(format_time(decision.until), f"GK-{decision.id}-{decision.serial}")


def _limited(spent: Spent) -> Fault:
    if spent.seconds == 0:
        return too_large(f"{spent.most} rows are the most that limit {spent.refused} allows in one request")
    return too_many(spent.seconds, spent.most, spent.window)


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _now() -> int:
    return time.time_ns() // 1000
