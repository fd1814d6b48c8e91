"""Refusals: what a client is told, as JSON, when it gets no prediction."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec


@dataclass(eq=False, slots=True)  # an exception cannot be frozen: raising sets its traceback
class Fault(Exception):  # noqa: N818  # most are the client's, and then not an error of ours
    """A refusal. `code` is for programs and stable, `message` for people and names the fault."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)  # for our log alone: client, credential, model

    def body(self) -> bytes:
        """Return the JSON; `error` is text, as TensorFlow Serving and the Open Inference Protocol have it."""
        return msgspec.json.encode({"error": self.message, "code": self.code, **self.details})


def bad_input(code: str, message: str) -> Fault:
    """Return the refusal of a body that cannot be a question to the model."""
    return Fault(400, code, message)


def too_large(message: str) -> Fault:
    """Return the refusal of a body with too many bytes or rows."""
    return Fault(413, "too_large", message)


def unknown_model(model: str) -> Fault:
    """Return the refusal of a model that is not served here."""
    return Fault(404, "unknown_model", f"no model {model[:100]!r} is served here")


def unauthorized(code: str, message: str) -> Fault:
    """Return the refusal of a key."""
    return Fault(401, code, message, headers={"WWW-Authenticate": "Bearer"})


def unavailable(code: str, message: str, seconds: int = 1) -> Fault:
    """Return the refusal while we are not able to serve; `seconds` is when to ask again."""
    return Fault(503, code, message, headers={"Retry-After": str(seconds)})


def too_many(seconds: int, rows: int, window: int) -> Fault:
    """Return the refusal of a client that asks more than `rows` in `window` s; `seconds` is when to ask again."""
    message = f"more than {rows} rows in {window} s; ask again in {seconds} s"
    return Fault(429, "too_many_requests", message, headers={"Retry-After": str(seconds)})


def blocked(until: str, reference: str) -> Fault:
    """Return the refusal of a blocked client: until when, and what to tell support; never why."""
    message = f"access is suspended until {until}; contact support with reference {reference}"
    return Fault(403, "blocked", message, details={"until": until, "reference": reference})
