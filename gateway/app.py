"""The reference gateway: HTTP in front of Keras models. FastAPI and uvicorn around `gateway.middleware`.

`create` gives the app, `run` serves it until SIGTERM. TensorFlow is imported when the models are loaded.
"""

import asyncio
import hmac
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from detector.records import decode_decision
from gateway import v1, v2
from gateway.access import presented
from gateway.bodies import Bounds, read_body
from gateway.faults import Fault, bad_input, unauthorized, unavailable, unknown_model
from gateway.grant import Grant
from gateway.middleware import Middleware, about, grant_of, told
from gateway.openapi import PAGE_POLICY, described, page
from gateway.parts import Parts, build
from gateway.server import Server, certified
from gateway.serving import BadAnswer, Busy, Lineup, Model
from gateway.settings import GatewaySettings
from gateway.tensors import Floats

JSON = "application/json"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
MODEL_V1 = "/v1/models/{model}"
MODEL_V2 = "/v2/models/{model}"
VERSION_V1 = MODEL_V1 + "/versions/{version}"
VERSION_V2 = MODEL_V2 + "/versions/{version}"
PUSH_BYTES = 65_536  # one decision is well below

router = APIRouter()


def create(settings: GatewaySettings) -> FastAPI:
    """Return the app, its models loaded. Raises BadModel, BadKey, BadStore, OSError."""
    parts = build(settings)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(parts.start)
        yield
        await asyncio.to_thread(parts.stop)

    app = FastAPI(title="Gamekeeper gateway", lifespan=life, openapi_url=None, redirect_slashes=False)
    app.state.parts = parts
    app.include_router(router)
    app.add_middleware(Middleware, guard=parts.guard)
    app.add_exception_handler(Fault, _refused)
    app.add_exception_handler(HTTPException, _not_here)
    return app


def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is asked, write what is logged, and exit with 0.

    SIGHUP looks at the models' folder at once. Raises what `create` raises, BadCertificate; SystemExit (1) where the
    port is taken.
    """
    tls = certified(settings)
    for number in (signal.SIGTERM, signal.SIGINT):  # while loading; and uvicorn raises them again when it has ended
        signal.signal(number, _leave)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # while loading
    app = create(settings)
    parts: Parts = app.state.parts
    signal.signal(signal.SIGHUP, lambda _number, _frame: parts.models.look_soon())
    Server(app, settings, tls, parts.drain).run()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@router.post(f"{VERSION_V1}:predict")
@router.post(f"{MODEL_V1}:predict")
async def predict_v1(request: Request) -> Response:
    """Answer {"instances": […]} with {"predictions": […]}, or {"inputs": …} with {"outputs": …}."""
    body = await _body(request)
    with _parts(request).models.using() as lineup:
        model = _model(request, lineup)
        question = v1.read(body, model, _settings(request).rows_max)
        return Response(v1.write(await _ask(request, model, question.batch), question), media_type=JSON)


@router.post(f"{VERSION_V1}:classify")
@router.post(f"{VERSION_V1}:regress")
@router.post(f"{MODEL_V1}:classify")
@router.post(f"{MODEL_V1}:regress")
async def other_v1() -> Response:
    """Refuse TensorFlow Serving's questions by tf.Example."""
    raise v1.only_predict()


@router.get(VERSION_V1)
@router.get(MODEL_V1)
async def status_v1(request: Request) -> Response:
    """Tell whether a model's versions answer, or one of them."""
    with _parts(request).models.using() as lineup:
        model = _model(request, lineup)
        one = "version" in request.path_params
        return _json(v1.status([model] if one else lineup.versions(model.name).values()))


@router.get(f"{VERSION_V1}/metadata")
@router.get(f"{MODEL_V1}/metadata")
async def metadata_v1(request: Request) -> Response:
    """Tell a model's input and output."""
    with _parts(request).models.using() as lineup:
        return _json(v1.metadata(_model(request, lineup)))


@router.post(f"{VERSION_V2}/infer")
@router.post(f"{MODEL_V2}/infer")
async def infer_v2(request: Request) -> Response:
    """Answer an inference request of the Open Inference Protocol, in JSON or with binary tensors."""
    body = await _body(request)
    with _parts(request).models.using() as lineup:
        model = _model(request, lineup)
        question = v2.read(body, request.headers.get(v2.JSON_LENGTH), model, _settings(request).rows_max)
        answer, headers = v2.write(await _ask(request, model, question.batch), model, question)
        return Response(answer, headers=dict(headers))


@router.get(VERSION_V2)
@router.get(MODEL_V2)
async def metadata_v2(request: Request) -> Response:
    """Tell a model's input, output and versions."""
    with _parts(request).models.using() as lineup:
        model = _model(request, lineup)
        return _json(v2.metadata(model, lineup.versions(model.name)))


@router.get(f"{VERSION_V2}/ready")
@router.get(f"{MODEL_V2}/ready")
async def ready_v2(request: Request) -> Response:
    """Tell whether a model answers, by the status."""
    with _parts(request).models.using() as lineup:
        return Response(status_code=200 if _model(request, lineup).ready else 503)


@router.get(f"{VERSION_V2}/config")
@router.get(f"{MODEL_V2}/config")
async def config_v2() -> Response:
    """Refuse Triton's model configuration."""
    raise v2.no_config()


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


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Return what may be asked here, as OpenAPI 3.1."""
    return _json(described(request.app))


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Return the same as a page for people. It loads nothing from anywhere."""
    return HTMLResponse(page(described(request.app)), headers={"Content-Security-Policy": PAGE_POLICY})


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


async def _ask(request: Request, model: Model, batch: Floats) -> Floats:
    """Let the model answer, log it, and return what to serve. Raises Fault."""
    grant = _grant(request, model)
    await grant.spend(len(batch))
    try:
        future = asyncio.wrap_future(model.predict(batch, grant.asker.client))
        answers = await asyncio.wait_for(future, _settings(request).answer_seconds)
    except Busy as error:
        raise unavailable("busy", str(error)) from error
    except BadAnswer as error:
        raise Fault(500, "bad_answer", str(error)) from error
    except TimeoutError as error:
        raise Fault(504, "timeout", "the model did not answer in time") from error
    return grant.answer(batch, answers, model.version)


def _grant(request: Request, model: Model) -> Grant:
    """Return the leave to ask; a model that came into service while we were asked is not there yet for this request."""
    try:
        return grant_of(request.scope)
    except LookupError:
        raise unknown_model(model.name) from None


async def _body(request: Request, limit: int | None = None) -> bytes:
    settings = _settings(request)
    return await read_body(request, Bounds(limit or settings.body_bytes, settings.body_seconds))


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _settings(request: Request) -> GatewaySettings:
    return _parts(request).settings


def _model(request: Request, lineup: Lineup) -> Model:
    """Return the model that the path names, in the version that it names, if it names one. Raises Fault (404)."""
    name, version = request.path_params["model"], request.path_params.get("version")
    found = lineup.find(name, version)
    if found is None:
        raise unknown_model(name if version is None else f"{name} version {version}")
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
