"""What people say and did: feedback on clients, the allowlist, the audit log."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime, BaseModel

from consumers.api.decisions import DecisionForm, written
from consumers.api.doors import Admin, Reader, Responder
from consumers.api.forms import About, Act, Listed, Text, Window, Words, listed, said
from consumers.api.house import Shared
from consumers.store import lists, people
from consumers.store.facts import microseconds
from detector.decision import ANY_MODEL, Key, Scope

router = APIRouter(prefix="/api/v1", tags=["people"])


class Label(StrEnum):
    """What a client turned out to be."""

    FALSE_POSITIVE = "false-positive"
    TRUE_POSITIVE = "true-positive"
    AUTHORISED_TEST = "authorised-test"


class Finding(BaseModel):
    """What a person found out about a client."""

    client: Text
    model: Text = ANY_MODEL
    what: Label
    why: Words


class FeedbackForm(BaseModel):
    """What a person said of a client, and when the detector heard it."""

    id: int
    client: str
    model: str
    what: str
    why: str
    who: str
    said: datetime
    heard: datetime | None


class EntryForm(BaseModel):
    """Who is never acted against."""

    scope: Scope
    value: str
    model: str
    until: datetime
    why: str
    who: str
    added: datetime


class Entry(Act):
    """Whom never to act against; without `until`, until somebody removes it."""

    until: AwareDatetime | None = None


class Removal(About):
    """Which entry to remove, and why."""

    why: Words


class AuditForm(BaseModel):
    """Something that a person did."""

    id: int
    at: datetime
    who: str
    what: str
    target: str
    why: str
    details: dict[str, Any]


class ClientFilter(Window):
    """Of whom."""

    client: Text | None = None


class AllowFilter(Window):
    """Whom."""

    scope: Scope | None = None
    value: Text | None = None


class AuditFilter(Window):
    """Whose acts, which, and to whom or what."""

    who: Text | None = None
    what: Text | None = None
    target: Text | None = None


@router.get("/feedback", response_model=Listed[FeedbackForm])
def feedback(house: Shared, _reader: Reader, asked: Annotated[ClientFilter, Query()]) -> Any:
    """List what people said of clients, the newest first."""
    return listed(lists.read(house.engine, lists.FEEDBACK, {"client": asked.client}, asked.wanted))


@router.post("/feedback", status_code=201)
def label(house: Shared, responder: Responder, finding: Finding) -> dict[str, int]:
    """Say what a client turned out to be. A false positive or an authorised test is lifted too."""
    about = Key(Scope.CLIENT, finding.client, finding.model)
    told = said(responder, finding.why)
    return {"id": people.conclude(house.engine, about, finding.what, told, house.settings.channels)}


@router.get("/allowlist", response_model=Listed[EntryForm])
def allowlist(house: Shared, _reader: Reader, asked: Annotated[AllowFilter, Query()]) -> Any:
    """List the entries, those too whose time is over."""
    equal = {"scope": asked.scope, "value": asked.value}
    return listed(lists.read(house.engine, lists.ALLOWLIST, equal, asked.wanted))


@router.post("/allowlist", response_model=list[DecisionForm], status_code=201)
def allow(house: Shared, admin: Admin, entry: Entry) -> Any:
    """Add or change an entry: it wins over every decision, at once. Returns the decisions that say so."""
    until = None if entry.until is None else microseconds(entry.until.astimezone(UTC))
    added = people.Entry(entry.scope, entry.value, entry.model, until)
    made = people.allowlist_add(house.engine, added, entry.said(admin), house.settings.channels)
    return written(house, made)


@router.delete("/allowlist", response_model=list[DecisionForm])
def disallow(house: Shared, admin: Admin, removal: Annotated[Removal, Query()]) -> Any:
    """Remove an entry. Returns the decisions that say so."""
    key, told = removal.key, said(admin, removal.why)
    made = people.allowlist_remove(house.engine, key.scope, key.value, key.model, told, house.settings.channels)
    if not made:
        raise HTTPException(404, "there is no such entry in force")
    return written(house, made)


@router.get("/audit", response_model=Listed[AuditForm])
def audit(house: Shared, _reader: Reader, asked: Annotated[AuditFilter, Query()]) -> Any:
    """List what people did, the newest first."""
    equal = asked.model_dump(exclude={"limit", "cursor"})
    return listed(lists.read(house.engine, lists.AUDIT, equal, asked.wanted))
