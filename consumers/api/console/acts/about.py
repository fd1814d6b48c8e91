"""Whom or what an act is about, out of its address, and what its form offers."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from consumers.api.console.kinds import Asked, Told, Wrong
from consumers.api.forms import About
from consumers.api.house import House
from consumers.store import proposals
from consumers.store.people import LABELS as WHAT
from detector.decision import ANY_MODEL, Key, Scope

Form = TypeVar("Form", bound=BaseModel)
DURATIONS = {"3600": "1 hour", "14400": "4 hours", "86400": "1 day", "604800": "7 days", "": "until somebody lifts it"}
_MEANS = {
    "false-positive": "an ordinary client (false positive)",
    "true-positive": "a thief (true positive)",
    "authorised-test": "a test that we allowed",
}
LABELS = {what: _MEANS[what] for what in WHAT}


def checked(form: type[Form], **given: Any) -> Form:
    """Return a form of the REST API that holds what is given. Raises Wrong."""
    try:
        return form.model_validate(given)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in error.errors())
        raise Wrong(f"This cannot be used. {told}") from None


def key(asked: Asked) -> Key:
    """Return what an address names: a client, unless it says another scope; every model, unless it says one."""
    named = {"scope": asked.get("scope") or Scope.CLIENT, "value": asked.get("value", "")}
    return checked(About, **named, model=asked.get("model") or ANY_MODEL).key


def proposal(asked: Asked) -> UUID:
    """Return the name of the proposal that an address names."""
    try:
        return UUID(asked.get("verdict", ""))
    except ValueError:
        raise Wrong("Say which proposal: it is called by the id of its verdict.") from None


def proposed(house: House, asked: Asked) -> Told:
    """Return the proposal that an act is about, for its form. Raises Wrong and Missing."""
    return asdict(proposals.get(house.engine, proposal(asked)))


def shown(key: Key) -> Mapping[str, str]:
    """Return what an act is about, for its form."""
    return {"scope": key.scope.value, "value": key.value, "model": key.model}


def client_page(asked: Asked) -> tuple[str, Asked]:
    """Return where to look afterwards: at the client, else at the decisions."""
    if asked.get("value") and asked.get("scope", Scope.CLIENT) == Scope.CLIENT:
        return "client", {"client": asked["value"]}
    return "decisions", {}
