"""What waits for a person: blocks that the detector proposes, and breakers that are open."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from consumers.api.decisions import DecisionForm, written
from consumers.api.doors import Admin, Reader, Responder
from consumers.api.forms import Text, Words, said
from consumers.api.house import Shared
from consumers.store import breaker, proposals

router = APIRouter(prefix="/api/v1", tags=["people"])


class ProposalForm(BaseModel):
    """A block that waits, or waited, for a person's word; it is called by its verdict."""

    verdict: UUID
    client: str
    model: str
    episode: UUID
    cause: str
    reason: str
    until: datetime
    made: datetime
    outcome: str | None
    settled: datetime | None
    who: str | None
    why: str | None


class TripForm(BaseModel):
    """A time when the circuit breaker of a model opened."""

    id: UUID
    model: str
    opened: datetime
    blocked: int
    clients: int
    reason: str
    policy: str
    closed: datetime | None
    who: str | None
    why: str | None


class Reason(BaseModel):
    """Why, in a person's words."""

    why: Words


Model = Annotated[Text | None, Query()]


@router.get("/proposals", response_model=list[ProposalForm])
def waiting(house: Shared, _reader: Reader, model: Model = None) -> Any:
    """List the blocks that wait for a person's word, the oldest first."""
    return [asdict(one) for one in proposals.waiting(house.engine, model)]


@router.get("/proposals/{name}", response_model=ProposalForm)
def proposal(house: Shared, _reader: Reader, name: UUID) -> Any:
    """Return one, whatever became of it."""
    return asdict(proposals.get(house.engine, name))


@router.post("/proposals/{name}/approve", response_model=DecisionForm, status_code=201)
def approve(house: Shared, responder: Responder, name: UUID, reason: Reason) -> Any:
    """Block as proposed. 409 when it was decided on, is over, or something newer was decided on the client."""
    made = proposals.approve(house.engine, name, said(responder, reason.why), house.settings.channels)
    [line] = written(house, [made])
    return line


@router.post("/proposals/{name}/decline", response_model=ProposalForm)
def decline(house: Shared, responder: Responder, name: UUID, reason: Reason) -> Any:
    """Say no: nobody is blocked, and what holds meanwhile ends by itself."""
    return asdict(proposals.decline(house.engine, name, said(responder, reason.why)))


@router.get("/breakers", response_model=list[TripForm])
def breakers(house: Shared, _reader: Reader, model: Model = None) -> Any:
    """List when breakers opened, those that are open first."""
    return [asdict(trip) for trip in breaker.show(house.engine, model)]


@router.post("/breakers/{model}/close", response_model=TripForm)
def close(house: Shared, admin: Admin, model: Text, reason: Reason) -> Any:
    """Close a model's breaker: the detector's decisions are enforced again. 404 when it is not open."""
    return asdict(breaker.close(house.engine, model, said(admin, reason.why), house.settings.channels))
