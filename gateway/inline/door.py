"""Checks over HTTP, as plain ASGI in front of another app: what is not asked below /authz goes to that app.

`/authz` says 200 or 403 and nothing else: to nginx's `auth_request` any other answer is a failure, which many let pass.
Below `/authz/as-is` the status is what it is (401, 403, 429 with Retry-After, 503): for proxies that pass it on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import Final

import msgspec

from gateway.faults import Fault
from gateway.inline.checks import Checks, Headers, Question, passed_on
from gateway.middleware import App, Message, Receive, Scope, Send

PATH: Final = "/authz"
AS_IS: Final = "/authz/as-is"
METRICS: Final = "/authz/metrics"
HEALTH: Final = "/authz/healthz"
STATUS: Final = "x-gamekeeper-status"  # what /authz would have said, were it not for nginx
URI: Final = b"x-forwarded-uri"
JSON: Final = {"content-type": "application/json"}

Life = AbstractAsyncContextManager[object]
Beside = Callable[[Checks], Life]


def within(app: App, checks: Checks, beside: Beside = nullcontext) -> App:
    """Return the app with the door in front; the guard, and what answers `beside` it, live as long as the app."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(app, (_guarding(checks), beside(checks)), (scope, receive, send))
        elif scope["type"] == "http" and scope["path"].startswith(PATH):
            await _serve(checks, scope, send)
        else:
            await app(scope, receive, send)

    return served


async def _live(app: App, lives: tuple[Life, Life], connection: tuple[Scope, Receive, Send]) -> None:
    """Be there as long as the app; the server, which leaves when it hears of the app's end, hears of it after ours."""
    scope, receive, send = connection
    async with AsyncExitStack() as stack:

        async def told(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await stack.aclose()
            await send(message)

        for life in lives:
            await stack.enter_async_context(life)
        await app(scope, receive, told)


@asynccontextmanager
async def _guarding(checks: Checks) -> AsyncIterator[None]:
    await asyncio.to_thread(checks.guard.start)
    yield
    await asyncio.to_thread(checks.guard.stop)


async def _serve(checks: Checks, scope: Scope, send: Send) -> None:
    path = scope["raw_path"].decode("latin-1")
    if path == PATH:
        await _check(checks, _question(checks, scope["headers"], ""), send, as_is=False)
    elif path.startswith(AS_IS):
        await _check(checks, _question(checks, scope["headers"], path.removeprefix(AS_IS)), send, as_is=True)
    elif path == METRICS:
        await _send(
            send, 200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, checks.guard.metrics.text()
        )
    elif path == HEALTH:
        await _send(send, *_health(checks))
    else:
        fault = Fault(404, "no_such_path", f"checks are at {PATH} and below {AS_IS}")
        await _send(send, fault.status, JSON, fault.body())


async def _check(checks: Checks, question: Question, send: Send, *, as_is: bool) -> None:
    try:
        told = await checks.ask(question)
    except Fault as fault:
        said = {**JSON, **fault.headers, STATUS: str(fault.status)}
        await _send(send, fault.status if as_is else 403, said, fault.body())
    else:
        await _send(send, 200, told)


def _question(checks: Checks, headers: Headers, path: str) -> Question:
    """Return the question. Envoy puts the query's path after ours, others into a header that no client can set."""
    uri = path or next((value.decode("latin-1") for name, value in headers if name == URI), "")
    return Question(headers, uri, passed_on(headers, checks.guard))


def _health(checks: Checks) -> tuple[int, Mapping[str, str], bytes]:
    """Return how the guard is; 503 only while it lets nobody pass."""
    faults = checks.guard.faults()
    said = {"status": "degraded" if faults else "ok", "why": "; ".join(faults), **checks.guard.health()}
    return 200 if checks.guard.shut() is None else 503, JSON, msgspec.json.encode(said)


async def _send(send: Send, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
