"""How the process is: GET /healthz and /metrics as with every process of ours, GET /health as CrowdSec has it."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from consumers import metrics
from consumers.api.house import House, Shared
from consumers.store.reads import ping

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def healthz(house: Shared) -> Response:
    """Say what is wrong with the process, if anything."""
    _look(house)
    status, body = metrics.healthz(house.health)
    return Response(body, status, media_type="application/json")


@router.get("/metrics")
def exposition(house: Shared) -> Response:
    """Say what it has counted."""
    house.health.turn()
    return Response(metrics.exposition(house.health), media_type=CONTENT_TYPE_LATEST)


@router.get("/health")
def up() -> Response:
    """Say that it answers, as bouncers ask it."""
    return Response(b'{"status":"up"}', media_type="application/json")


def _look(house: House) -> None:
    house.health.turn()
    try:
        ping(house.engine)
    except SQLAlchemyError as error:
        house.health.fault("postgres", type(error).__name__)
    else:
        house.health.fine("postgres")
