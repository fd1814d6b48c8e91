"""Roles: which models, which operations, how many rows. Who has none may do nothing. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from detector import records
from detector.records import Operation, Role
from gateway.access.keys import BadKey

PREDICT = "predict"
BUILT_IN = {PREDICT: Role(role=PREDICT)}  # every model, asking and looking; a role of the same name takes its place


class Quota(NamedTuple):
    """Rows that a client may ask in a day and in a month (UTC); None: no quota."""

    day: int | None
    month: int | None


def read_role(value: bytes) -> Role:
    """Read one role (JSON). Raises BadKey."""
    try:
        return records.decode_role(value)
    except ValueError as error:
        raise BadKey(f"role: {error}") from error


def permits(held: Iterable[Role], model: str | None, operation: Operation) -> bool:
    """Tell whether any of the roles permits this on the model; on None, whether on any model at all."""
    return any(operation in role.operations and _covers(role, model) for role in held)


def quota(held: Iterable[Role]) -> Quota:
    """Return the largest quota of each kind that the roles set."""
    roles = list(held)
    days = (role.day for role in roles if role.day is not None)
    months = (role.month for role in roles if role.month is not None)
    return Quota(max(days, default=None), max(months, default=None))


def _covers(role: Role, model: str | None) -> bool:
    if model is None:
        return bool(role.models)
    return any(pattern == "*" or fnmatchcase(model, pattern) for pattern in role.models)
