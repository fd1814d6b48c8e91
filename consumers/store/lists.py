"""Lists of what is kept, page by page: for the REST API. A page goes on where the last ended, whatever came since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Engine, FromClause, bindparam, column, func, select, table, tuple_
from sqlalchemy.types import Text

from consumers.store import schema

Line = Mapping[str, Any]


class BadCursor(ValueError):  # noqa: N818  # named for what happened
    """A cursor that is none of this list's."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed, and in which order: by columns that together name one row."""

    source: FromClause
    order: Sequence[ColumnElement[Any]]
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list."""

    limit: int
    cursor: str | None = None  # that of the page before; None: from the beginning


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and where it goes on."""

    lines: Sequence[Line]
    next: str | None  # None: that was all


_LATEST = table(
    "client_latest",
    *(column(name, Text()) for name in ("client", "model")),
    *map(
        column,
        (
            "tenant", "standing", "since", "score", "leakage", "action", "shadow", "episode", "queries", "last",
            "population", "policy", "reason", "verdict",
        ),
    ),
)  # fmt: skip
_ALLOWED = schema.allowlist.c

_HELD = schema.decisions.join(schema.decision_heads, schema.decision_heads.c.decision == schema.decisions.c.id)
_ACTIVE = select(schema.decisions).select_from(_HELD).where(schema.decision_heads.c.until > func.now()).subquery()

_IN_FORCE = select(schema.decision_heads.c.decision).where(
    schema.decision_heads.c.decision == schema.decisions.c.id, schema.decision_heads.c.until > func.now()
)
_ENDED = select(schema.decisions).where(~_IN_FORCE.exists()).subquery()

DECISIONS = Listing(schema.decisions, (schema.decisions.c.id,))
ACTIVE = Listing(_ACTIVE, (_ACTIVE.c.id,))
ENDED = Listing(_ENDED, (_ENDED.c.id,))
VERDICTS = Listing(schema.verdicts, (schema.verdicts.c.at, schema.verdicts.c.id))
CLIENTS = Listing(_LATEST, (_LATEST.c.client, _LATEST.c.model), newest_first=False)
EPISODES = Listing(schema.episodes, (schema.episodes.c.opened, schema.episodes.c.id))
FEEDBACK = Listing(schema.feedback, (schema.feedback.c.id,))
ALLOWLIST = Listing(schema.allowlist, (_ALLOWED.scope, _ALLOWED.value, _ALLOWED.model), newest_first=False)
AUDIT = Listing(schema.audit_log, (schema.audit_log.c.id,))


def read(engine: Engine, listing: Listing, equal: Mapping[str, Any], window: Window) -> Page:
    """Return the rows whose columns are `equal` to what is named; None: whichever. Raises BadCursor."""
    order = listing.order
    conditions = [listing.source.c[name] == value for name, value in equal.items() if value is not None]
    if window.cursor is not None:
        place = tuple_(*_place(order, window.cursor))
        conditions.append(tuple_(*order) < place if listing.newest_first else tuple_(*order) > place)
    sorting = [one.desc() if listing.newest_first else one.asc() for one in order]
    query = select(listing.source).where(*conditions).order_by(*sorting).limit(window.limit + 1)
    with engine.connect() as connection:
        found = [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001  # documented
    lines = found[: window.limit]
    return Page(lines, _cursor(order, lines[-1]) if len(found) > len(lines) else None)


def one(engine: Engine, listing: Listing, equal: Mapping[str, Any]) -> Line | None:
    """Return the row whose columns are `equal` to what is named, or None."""
    lines = read(engine, listing, equal, Window(1)).lines
    return lines[0] if lines else None


def _cursor(order: Sequence[ColumnElement[Any]], line: Line) -> str:
    return msgspec.json.encode([line[str(one.key)] for one in order]).hex()


def _place(order: Sequence[ColumnElement[Any]], cursor: str) -> list[Any]:
    try:
        said = msgspec.json.decode(bytes.fromhex(cursor), type=list[Any])
        values = [msgspec.convert(value, one.type.python_type) for one, value in zip(order, said, strict=True)]
    except ValueError as error:
        raise BadCursor("cursor: take it from `next` of the page before, of the same list") from error
    return [bindparam(None, value, type_=one.type) for one, value in zip(order, values, strict=True)]
