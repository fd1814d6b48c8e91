"""The guard, as plain ASGI middleware around the reference app or anyone's own: access, decisions, limits, log.

A request without a good key, and a query of a blocked or too fast client, never reaches the app. The app takes its
Grant (`grant_of`) and hands its model's answer to `Grant.answer`, which logs it and returns what to serve.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from detector.decision import Action, Decision
from detector.records import format_time
from gateway.access import presented
from gateway.faults import Fault, blocked, too_many
from gateway.guard import Guard
from gateway.metrics import Metrics
from gateway.perturb import coarsen
from gateway.querylog import Answer
from gateway.table import Asker
from gateway.watermark.dawn import Marking, marked

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

    @property
    def action(self) -> Action:
        """What the decision in force asks for."""
        return Action.ALLOW if self.decision is None else self.decision.action

    def spend(self, rows: int) -> None:
        """Count `rows` queries beyond the first against the client's limit. Raises Fault (429), and logs it."""
        if self.action is Action.THROTTLE and rows > 0:
            limiter = self._guard.limiter
            seconds = limiter.spend(self.asker.client, rows)
            if seconds is not None:
                self._refuse(too_many(seconds, limiter.rate.rows, limiter.rate.seconds))

    def answer(self, inputs: Floats, probabilities: Floats) -> Floats:
        """Log n predictions (inputs [n, …], the model's own probabilities [n, K], float32) and return what to serve."""
        served = self._marked(inputs, coarsen(probabilities, self.action))
        answer = Answer(
            asker=self.asker,
            model=self.model,
            time=_now(),
            status=200,
            decision=self.decision,
            input=inputs,
            output=probabilities,
            served=served if served is not probabilities else None,
        )
        self._guard.log.put(answer)
        self._guard.metrics.rows.labels(self.model, self.action.word).inc(len(probabilities))
        return served

    def _marked(self, inputs: Floats, served: Floats) -> Floats:
        """Return what to serve with a throttled client's marks in it, if the operator switched them on."""
        rules = self._guard.rules
        if self.action is not Action.THROTTLE or not rules.mark_share:
            return served
        return marked(inputs, served, Marking(rules.secret, self.asker.client, self.model, rules.mark_share))[0]

    def check(self) -> None:
        """Raise Fault (403, 429) where the decision in force refuses this query, and log that."""
        if self.decision is not None and self.action is Action.BLOCK:
            self._refuse(_blocked(self.decision))
        self.spend(1)

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

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics.requests.labels(str(message["status"])).inc()
            await send(message)

        try:
            grant = self._admit(scope)
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
        grant = Grant(asker, model, guard.table.find(asker, model, now), guard)
        grant.check()
        return grant


async def refuse(fault: Fault, send: Send, metrics: Metrics) -> None:
    """Send a refusal as JSON and count it."""
    metrics.refusals.labels(fault.code).inc()
    body = fault.body()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **fault.headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": raw})
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


def _now() -> int:
    return time.time_ns() // 1000
