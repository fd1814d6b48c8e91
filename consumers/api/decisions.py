"""Decisions: what was decided and what is in force; people's own, and their end."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from consumers.api.doors import Reader, Responder
from consumers.api.forms import Act, Listed, Seconds, Text, Window, found, listed
from consumers.api.house import House, Shared
from consumers.store import lists, people
from detector.decision import Action, Decision, Scope

router = APIRouter(prefix="/api/v1", tags=["decisions"])
Number = Annotated[int, Path(ge=1, lt=1 << 63)]


class Word(StrEnum):
    """An action by its name."""

    ALLOW = Action.ALLOW.word
    PERTURB = Action.PERTURB.word
    THROTTLE = Action.THROTTLE.word
    BLOCK = Action.BLOCK.word


class DecisionForm(BaseModel):
    """A decision, whether it is in force or was."""

    id: int
    serial: int
    scope: Scope
    value: str
    model: str
    action: Word
    until: datetime
    origin: str
    reason: str
    shadow: bool
    verdict: UUID | None
    episode: UUID | None
    who: str | None
    made: datetime


class Filter(Window):
    """Which decisions."""

    scope: Scope | None = None
    value: Text | None = None
    model: Text | None = None
    action: Word | None = None
    origin: Text | None = None


class Order(Act):
    """A decision to take; without `seconds` it holds until somebody ends it."""

    action: Word
    seconds: Seconds | None = None

    def by(self, who: str) -> people.Order:
        """Return it as the order of somebody, by name."""
        return people.Order(
            scope=self.scope,
            value=self.value,
            model=self.model,
            action=Action.parse(self.action),
            seconds=self.seconds,
            why=self.why,
            who=who,
        )


def written(house: House, made: Sequence[Decision]) -> list[lists.Line]:
    """Return decisions that were just taken, as they are kept."""
    return [found(lists.one(house.engine, lists.DECISIONS, {"id": one.id}), "decision") for one in made]


@router.get("/decisions", response_model=Listed[DecisionForm])
def decisions(house: Shared, _reader: Reader, asked: Annotated[Filter, Query()]) -> Any:
    """List decisions ever taken, the newest first."""
    equal = asked.model_dump(exclude={"limit", "cursor"})
    return listed(lists.read(house.engine, lists.DECISIONS, equal, asked.wanted))


@router.get("/decisions/active", response_model=Listed[DecisionForm])
def active(house: Shared, _reader: Reader, asked: Annotated[Filter, Query()]) -> Any:
    """List what is in force now, shadow ones too, the newest first."""
    equal = asked.model_dump(exclude={"limit", "cursor"})
    return listed(lists.read(house.engine, lists.ACTIVE, equal, asked.wanted))


@router.get("/decisions/{number}", response_model=DecisionForm)
def decision(house: Shared, _reader: Reader, number: Number) -> Any:
    """Return one decision."""
    return found(lists.one(house.engine, lists.DECISIONS, {"id": number}), "decision")


@router.post("/decisions", response_model=DecisionForm, status_code=201)
def decide(house: Shared, responder: Responder, order: Order) -> Any:
    """Take a decision: it is enforced, also where the detector is in shadow. Who is on the allowlist is 409."""
    taken = people.decide(house.engine, order.by(responder.client), house.settings.channels)
    [line] = written(house, [taken])
    return line


@router.post("/lifts", response_model=list[DecisionForm])
def lift(house: Shared, responder: Responder, act: Act) -> Any:
    """End what is in force; the same evidence does not bring it back. Entries of the allowlist stay."""
    said, channels = act.said(responder), house.settings.channels
    return written(house, people.lift(house.engine, act.scope, act.value, act.model, said, channels))
