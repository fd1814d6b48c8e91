"""The reference gateway: HTTP in front of Keras models. FastAPI and uvicorn around `gateway.middleware`.

`create` gives the app, `run` serves it until SIGTERM. TensorFlow is imported when the models are loaded.
"""

import asyncio
import gc
import hmac
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import msgspec
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from detector.records import decode_decision
from gateway import v1, v2
from gateway.access import presented
from gateway.faults import Fault, bad_input, too_large, unauthorized, unavailable, unknown_model
from gateway.middleware import Middleware, about, grant_of, told
from gateway.parts import Parts, build
from gateway.serving import BadAnswer, Busy, Served
from gateway.settings import GatewaySettings
from gateway.tensors import Floats

JSON = "application/json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
PUSH_BYTES = 65_536  # one decision is well below
GRACE_SECONDS = 1  # for requests that are being answered on SIGTERM

router = APIRouter()


def create(settings: GatewaySettings) -> FastAPI:
    """Return the app, its models loaded. Raises BadModel, BadKey, BadStore, OSError."""
    parts = build(settings)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(parts.start)
        yield
        await asyncio.to_thread(parts.stop)

    app = FastAPI(title="Gamekeeper gateway", lifespan=life, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.parts = parts
    app.include_router(router)
    app.add_middleware(Middleware, guard=parts.guard)
    app.add_exception_handler(Fault, _refused)
    app.add_exception_handler(HTTPException, _not_here)
    return app


def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is asked, write what is logged, and exit with 0.

    Raises what `create` raises; SystemExit (1) where the port is taken.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # while loading; and uvicorn raises them again when it has ended
        signal.signal(number, _leave)
    app = create(settings)
    gc.freeze()  # TensorFlow's objects live as long as we do: no collection need look at them again
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    uvicorn.Server(config).run()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@router.post("/v1/models/{model}:predict")
async def predict_v1(model: str, request: Request) -> Response:
    """Answer {"instances": […]} with {"predictions": […]}."""
    served = _model(request, model)
    batch = v1.read(await _body(request), served, _settings(request).rows_max)
    return Response(v1.write(await _ask(request, served, batch)), media_type=JSON)


@router.get("/v1/models/{model}")
async def status_v1(model: str, request: Request) -> Response:
    """Tell whether a model answers."""
    return _json(v1.status(_model(request, model)))


@router.get("/v1/models/{model}/metadata")
async def metadata_v1(model: str, request: Request) -> Response:
    """Tell a model's input and output."""
    return _json(v1.metadata(_model(request, model)))


@router.post("/v2/models/{model}/infer")
async def infer_v2(model: str, request: Request) -> Response:
    """Answer an inference request of the Open Inference Protocol."""
    served = _model(request, model)
    batch, request_id = v2.read(await _body(request), served, _settings(request).rows_max)
    return Response(v2.write(await _ask(request, served, batch), served, request_id), media_type=JSON)


@router.get("/v2/models/{model}")
async def metadata_v2(model: str, request: Request) -> Response:
    """Tell a model's input and output."""
    return _json(v2.metadata(_model(request, model)))


@router.get("/v2/models/{model}/ready")
async def ready_v2(model: str, request: Request) -> Response:
    """Tell whether a model answers, by the status."""
    return Response(status_code=200 if _model(request, model).ready else 503)


@router.get("/v2")
async def server_v2() -> Response:
    """Tell what this server is."""
    return _json(v2.server())


@router.get("/v2/health/live")
async def live() -> Response:
    """Tell that the process serves."""
    return Response(status_code=200)


@router.get("/v2/health/ready")
async def ready(request: Request) -> Response:
    """Tell whether queries can be answered, by the status."""
    return Response(status_code=200 if _parts(request).ready else 503)


@router.get("/healthz")
async def health(request: Request) -> Response:
    """Tell how the gateway is; 503 only while it refuses to answer at all."""
    parts = _parts(request)
    return _json(parts.health(), 503 if parts.guard.shut() is not None else 200)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return the metrics."""
    return Response(_parts(request).guard.metrics.text(), media_type=PROMETHEUS)


@router.post("/gamekeeper/decisions")
async def push(request: Request) -> Response:
    """Apply one pushed decision at once, under the same rule of serials as those from the topic."""
    parts = _parts(request)
    _check_token(request, parts.settings.push_token)
    try:
        decision = decode_decision(await _body(request, PUSH_BYTES))
    except ValueError as error:
        raise bad_input("not_a_decision", str(error)) from error
    applied = parts.guard.table.apply(decision)
    if applied:
        parts.guard.applied()
    return _json({"applied": applied, "id": decision.id, "serial": decision.serial})


def _check_token(request: Request, token: str | None) -> None:
    if token is None:
        raise Fault(404, "push_off", "this gateway takes no pushed decisions")
    given = presented(request.scope["headers"]) or ""
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise unauthorized("wrong_token", "the token is missing or wrong")


async def _ask(request: Request, model: Served, batch: Floats) -> Floats:
    """Let the model answer, log it, and return what to serve. Raises Fault."""
    grant = grant_of(request.scope)
    await grant.spend(len(batch))
    try:
        future = asyncio.wrap_future(model.predict(batch))
        answers = await asyncio.wait_for(future, _settings(request).answer_seconds)
    except Busy as error:
        raise unavailable("busy", str(error)) from error
    except BadAnswer as error:
        raise Fault(500, "bad_answer", str(error)) from error
    except TimeoutError as error:
        raise Fault(504, "timeout", "the model did not answer in time") from error
    return grant.answer(batch, answers)


async def _body(request: Request, limit: int | None = None) -> bytes:
    """Read a body within its limits of bytes and time, whatever its headers say. Raises Fault."""
    settings = _settings(request)
    limit = limit or settings.body_bytes
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(f"the body is over {limit} bytes")
    try:
        async with asyncio.timeout(settings.body_seconds):
            return await _collect(request, limit)
    except TimeoutError as error:
        raise Fault(408, "slow_body", f"the body did not arrive within {settings.body_seconds:g} s") from error
    except ClientDisconnect as error:
        raise bad_input("disconnected", "the body ended too soon") from error


async def _collect(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(f"the body is over {limit} bytes")
    return bytes(body)


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _settings(request: Request) -> GatewaySettings:
    return _parts(request).settings


def _model(request: Request, name: str) -> Served:
    found = _parts(request).models.served.get(name)
    if found is None:
        raise unknown_model(name)
    return found


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, media_type=JSON)


async def _refused(request: Request, error: Exception) -> Response:
    """Answer a Fault raised behind the middleware."""
    if isinstance(error, Fault):
        error.about = error.about or about(request.scope)
        _parts(request).guard.refused(error)
    return await told(request, error)


async def _not_here(_request: Request, error: Exception) -> Response:
    """Answer what the router refuses (no such path, wrong method) in our form."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else "internal error"
    return Response(Fault(status, "no_such_path", detail).body(), status, media_type=JSON)
