"""The forms that the REST API shares: text within bounds, what a decision is about, who said it, pages."""

import ipaddress
from typing import Annotated, Any, Generic, TypeVar

from fastapi import HTTPException
from pydantic import BaseModel, Field, StringConstraints, model_validator

from consumers.store import lists, people
from consumers.store.keys import KeyLine
from detector.decision import ANY_MODEL, Key, Scope

T = TypeVar("T")
LONGEST_SECONDS = 10 * 366 * 86_400  # of a decision that has an end
NO_NUL = r"^[^\x00]*$"  # Postgres holds every other character
Text = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=NO_NUL)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=NO_NUL)]
Seconds = Annotated[int, Field(ge=1, le=LONGEST_SECONDS)]


class About(BaseModel):
    """What a decision or an entry is about."""

    scope: Scope = Scope.CLIENT
    value: Text
    model: Text = ANY_MODEL

    @model_validator(mode="after")
    def _address(self) -> "About":
        if self.scope is Scope.IP:
            self.value = str(ipaddress.ip_address(self.value))
        return self

    @property
    def key(self) -> Key:
        """What it is about, as the store has it."""
        return Key(self.scope, self.value, self.model)


class Act(About):
    """Something that a person does, and why."""

    why: Words

    def said(self, asker: KeyLine) -> people.Said:
        """Return who does it, and why, for the audit log."""
        return said(asker, self.why)


def said(asker: KeyLine, why: str) -> people.Said:
    """Return who does something, and why, for the audit log."""
    return people.Said(asker.client, why)


class Window(BaseModel):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=4_000, description="`next` of the page before")

    @property
    def wanted(self) -> lists.Window:
        """The same, as the store has it."""
        return lists.Window(self.limit, self.cursor)


class Listed(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None  # the cursor of the next part; null: that was all


def listed(page: lists.Page) -> dict[str, Any]:
    """Return a page as it is sent; the endpoint's form takes what it names."""
    return {"items": page.lines, "next": page.next}


def found(line: lists.Line | None, what: str) -> lists.Line:
    """Return the line, or refuse with 404."""
    if line is None:
        raise HTTPException(404, f"there is no such {what}")
    return line
