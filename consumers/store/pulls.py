"""What a bouncer is told when it pulls: which values changed since its cursor, and what holds of each.

A cursor is two points in the log (see `points`). It moves on only when a whole answer was sent, and to a point that is
OVERLAP old: each change is told at least twice, at least that long apart. So an answer that is lost on its way loses
nothing, and a bouncer that ignores the same word twice within 10 s (crowdsec-custom-bouncer) hears it again.

Every page is a transaction of its own: who reads slowly holds nothing in the database. A page may know more than the
point that its answer stands for, never less, and what it knows too early is told again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert

from consumers.store import points
from consumers.store.points import Point
from consumers.store.schema import bouncers
from detector.decision import Action, Origin, Scope

OVERLAP = timedelta(seconds=11)
KEPT = timedelta(days=30)  # a bouncer that has not pulled for so long begins anew
AGENT = 200  # characters of a User-Agent that are kept
PAGE = 500  # values that a statement reads

Name = tuple[str, str]  # scope, value
FIRST: Name = ("", "")  # before every name
_ACTIONS = {action.word: action for action in Action}  # looked up, since a bouncer's start reads 100,000 of them


@dataclass(frozen=True, slots=True)
class Bouncer:
    """Who pulls: replicas that share a key are told each for itself."""

    key: str  # its hash
    name: str  # whose key it is
    address: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a bouncer was told: of everything before `base` twice, before `next` once."""

    base: Point
    next: Point | None = None

    def moved(self, point: Point) -> "Cursor":
        """Return the cursor after a whole answer since `base` that stands for `point`."""
        if self.next is None:
            return Cursor(self.base, point)
        return self if point.at - self.next.at < OVERLAP else Cursor(self.next, point)


@dataclass(frozen=True, slots=True)
class Line:
    """A decision on a value, with whatever model."""

    id: int
    action: Action
    until: datetime
    origin: Origin


@dataclass(slots=True)
class Value:
    """What is known of one scope and value."""

    scope: Scope
    value: str
    holding: list[Line] = field(default_factory=list)  # in force now, allowances too; without shadow
    before: list[Line] = field(default_factory=list)  # the newest of each action that may have been told; no shadow
    exempt: bool = False  # its tenant is on the allowlist


# Every statement below has the scopes asked for, the latest name of the page before, and how many names it may find.
_TOLD_ALL = text("""
    SELECT DISTINCT scope, value FROM decision_heads
    WHERE until > :since AND decision IS NOT NULL AND scope = ANY(:scopes) AND (scope, value) > (:scope, :value)
    ORDER BY scope, value
    LIMIT :limit
""")
# A tenant's allowance that began or ended changes what is told of its clients.
_TENANTS = text("""
    SELECT value FROM decisions
    WHERE scope = 'tenant' AND xact >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))::text::bigint
      AND NOT pg_visible_in_snapshot(xact::text::xid8, CAST(:seen AS pg_snapshot))
    UNION
    SELECT value FROM decision_heads
    WHERE until > :since AND until <= :now AND scope = 'tenant' AND origin = 'allowlist'
""")
_CHANGED = text("""
    SELECT scope, value FROM (
        SELECT scope, value FROM decisions
        WHERE xact >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))::text::bigint
          AND NOT pg_visible_in_snapshot(xact::text::xid8, CAST(:seen AS pg_snapshot))
        UNION
        SELECT scope, value FROM decision_heads WHERE until > :since AND until <= :now
        UNION
        SELECT head.scope, head.value
        FROM snapshots AS client JOIN decision_heads AS head ON head.scope = 'client_id' AND head.value = client.client
        WHERE client.tenant = ANY(:tenants) AND head.until > :since
    ) AS changed
    WHERE scope = ANY(:scopes) AND (scope, value) > (:scope, :value)
    ORDER BY scope, value
    LIMIT :limit
""")
_HOLDING = text("""
    SELECT head.scope, head.value, head.decision AS id, head.action, head.until, head.origin
    FROM decision_heads AS head
    JOIN unnest(CAST(:scopes AS text[]), CAST(:values AS text[])) AS name(scope, value) USING (scope, value)
    WHERE head.until > :now AND (NOT head.shadow OR head.origin = 'person')
""")
_BEFORE = text("""
    SELECT DISTINCT ON (d.scope, d.value, d.action) d.scope, d.value, d.id, d.action, d.until, d.origin
    FROM decisions AS d
    JOIN unnest(CAST(:scopes AS text[]), CAST(:values AS text[])) AS name(scope, value) USING (scope, value)
    WHERE d.until > :since AND d.action <> 'allow' AND (NOT d.shadow OR d.origin = 'person')
    ORDER BY d.scope, d.value, d.action, d.id DESC
""")
_EXEMPT = text("""
    SELECT DISTINCT client.client
    FROM snapshots AS client
    JOIN decision_heads AS head ON head.scope = 'tenant' AND head.value = client.tenant
    WHERE client.client = ANY(:clients) AND head.origin = 'allowlist' AND head.action = 'allow' AND head.until > :now
""")


def cursor(engine: Engine, bouncer: Bouncer) -> Cursor | None:
    """Return how far a bouncer was told; None: never, or in another life of the database."""
    with engine.connect() as connection:
        row = connection.execute(select(bouncers).where(_of(bouncer))).one_or_none()
    if row is None or not points.fits(engine, row.next_seen or row.seen):
        return None
    later = None if row.next_seen is None else Point(row.next_seen, row.next_at)
    return Cursor(Point(row.seen, row.at), later)


def move(engine: Engine, bouncer: Bouncer, to: Cursor) -> None:
    """Keep how far a bouncer was told; those of its key that no longer pull are forgotten."""
    values = {
        "seen": to.base.seen,
        "at": to.base.at,
        "next_seen": None if to.next is None else to.next.seen,
        "next_at": None if to.next is None else to.next.at,
        "agent": bouncer.agent[:AGENT],
    }
    row = upsert(bouncers).values(key=bouncer.key, address=bouncer.address, **values)
    row = row.on_conflict_do_update(constraint=bouncers.primary_key, set_={**values, "pulled": func.now()})
    gone = delete(bouncers).where(bouncers.c.key == bouncer.key, bouncers.c.pulled < func.now() - KEPT)
    with engine.begin() as connection:
        connection.execute(row)
        connection.execute(gone)


def held(engine: Engine, scopes: Sequence[Scope], since: datetime, after: Name) -> list[Name]:
    """Return the next names after `after` on which anything is in force, or was at any time after `since`."""
    with engine.connect() as connection:
        return _names(connection, _TOLD_ALL, {"since": since, **_page(scopes, after)})


def changed(engine: Engine, scopes: Sequence[Scope], since: tuple[Point, datetime], after: Name) -> list[Name]:
    """Return the next names after `after` that changed since a point, by a decision or by the clock up to a time."""
    base, now = since
    bound = {"seen": base.seen, "since": base.at, "now": now}
    with engine.connect() as connection:
        tenants = list(connection.execute(_TENANTS, bound).scalars())
        return _names(connection, _CHANGED, {**bound, "tenants": tenants, **_page(scopes, after)})


def values(engine: Engine, names: Sequence[Name], since: datetime, now: datetime) -> list[Value]:
    """Return what is known of each name, in their order; `since` is the earliest time of what it was told before."""
    found = {name: Value(Scope(name[0]), name[1]) for name in names}
    bound = {"scopes": [scope for scope, _ in names], "values": [value for _, value in names]}
    with engine.connect() as connection:
        for row in connection.execute(_HOLDING, {**bound, "now": now}):
            found[row.scope, row.value].holding.append(_line(row))
        for row in connection.execute(_BEFORE, {**bound, "since": since}):
            found[row.scope, row.value].before.append(_line(row))
        clients = [value for scope, value in names if scope == Scope.CLIENT]
        for client in connection.execute(_EXEMPT, {"clients": clients, "now": now}).scalars():
            found[Scope.CLIENT.value, client].exempt = True
    return list(found.values())


def _names(connection: Connection, query: Any, bound: dict[str, Any]) -> list[Name]:
    return [(row.scope, row.value) for row in connection.execute(query, bound)]


def _page(scopes: Sequence[Scope], after: Name) -> dict[str, Any]:
    scope, value = after
    return {"scopes": [scope.value for scope in scopes], "scope": scope, "value": value, "limit": PAGE}


def _line(row: Any) -> Line:
    return Line(row.id, _ACTIONS[row.action], row.until, Origin(row.origin))


def _of(bouncer: Bouncer) -> Any:
    return tuple_(bouncers.c.key, bouncers.c.address) == (bouncer.key, bouncer.address)
