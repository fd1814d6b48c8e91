"""The application, put together from its endpoints, and the server that runs it."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from consumers.api import bouncers, decisions, events, health, judged, links, problems, proposals, said
from consumers.api.bell import Bell
from consumers.api.console import router as console
from consumers.api.house import House
from consumers.api.settings import ApiSettings
from consumers.health import Health
from consumers.store.engine import connect

ENDPOINTS: tuple[APIRouter, ...] = (
    health.router,
    bouncers.router,
    events.router,  # its path comes before that of one decision
    decisions.router,
    judged.router,
    said.router,
    proposals.router,
    links.router,
)
BODY_BYTES = 1 << 20  # of a request; usage metrics of a large bouncer are a few kB
_GRACE_SECONDS = 3  # for answers under way when asked to stop


def app(settings: ApiSettings) -> FastAPI:
    """Return the application; it connects when first asked."""
    engine = connect(settings.database, settings.schema, name="gamekeeper api")

    bell = Bell()

    @asynccontextmanager
    async def life(_application: FastAPI) -> AsyncIterator[None]:
        ringing = asyncio.create_task(bell.ring(engine))
        yield
        ringing.cancel()
        await asyncio.wait([ringing])  # its ear is at the database yet
        engine.dispose()

    application = FastAPI(
        title="Gamekeeper",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=life,
        max_body_size=BODY_BYTES,
    )
    application.state.house = House(engine, Health(), settings, bell)
    problems.register(application)
    for router in (*ENDPOINTS, *([console] if settings.console else [])):
        application.include_router(router)
    return application


def run(settings: ApiSettings, within: Callable[[ASGIApp], ASGIApp] = lambda api: api) -> None:
    """Serve until SIGTERM or SIGINT; `within` puts something else in front, such as the gateway's inline checks."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection is a file, also one that says nothing
    server = uvicorn.Server(
        uvicorn.Config(
            within(app(settings)),
            lifespan="on",  # what cannot start ends the process
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # uvicorn raises the signal again once it has stopped: then it is ours
        signal.signal(number, lambda *_: None)
    structlog.get_logger().info("api is listening", host=settings.host, port=settings.port)
    server.run()
