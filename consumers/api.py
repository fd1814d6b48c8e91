"""The HTTP door for people and their tools; by now health and metrics."""

import signal
from dataclasses import dataclass, field

import structlog
import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from consumers import metrics
from consumers.health import Health
from consumers.store.engine import connect
from consumers.store.reads import ping

_GRACE_SECONDS = 3  # for answers under way when asked to stop


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where the api listens and what it reads."""

    database: str = field(repr=False)
    schema: str = "public"
    host: str = "127.0.0.1"
    port: int = 8081


def app(settings: ApiSettings) -> FastAPI:
    """Return the application; it connects when first asked."""
    engine = connect(settings.database, settings.schema, name="gamekeeper api")
    health = Health()
    application = FastAPI(title="Gamekeeper", docs_url=None, redoc_url=None, openapi_url=None)

    @application.get("/healthz")
    def healthz() -> Response:
        _look(engine, health)
        status, body = metrics.healthz(health)
        return Response(body, status, media_type="application/json")

    @application.get("/metrics")
    def exposition() -> Response:
        health.turn()
        return Response(metrics.exposition(health), media_type=CONTENT_TYPE_LATEST)

    return application


def run(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    server = uvicorn.Server(
        uvicorn.Config(
            app(settings),
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


def _look(engine: Engine, health: Health) -> None:
    health.turn()
    try:
        ping(engine)
    except SQLAlchemyError as error:
        health.fault("postgres", type(error).__name__)
    else:
        health.fine("postgres")
