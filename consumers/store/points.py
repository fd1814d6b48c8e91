"""Points in the log of decisions: what was committed, and when. What is later than a point is found without a loss.

Neither numbers nor times of rows tell what is new: who took a lower number may commit later. Postgres says which
transactions a statement could see (`pg_current_snapshot`), and of each decision which one wrote it. So whatever a point
did not see is later than it, exactly once, however many write at the same time.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, TextClause, text

from consumers.store.facts import microseconds
from detector.decision import Action, Decision, Key, Origin, Scope

PAGE = 500  # decisions that a statement reads

FORM = re.compile(r"[1-9]\d{0,18}:[1-9]\d{0,18}:(\d{1,19}(,\d{1,19})*)?")
_NOW = text("SELECT pg_current_snapshot()::text, now()")
_FITS = text("""
    SELECT pg_snapshot_xmax(CAST(:seen AS pg_snapshot)) <= pg_snapshot_xmax(pg_current_snapshot())
""")
_BETWEEN = text("""
    SELECT id, serial, scope, value, model, action, until, origin, reason, verdict, shadow
    FROM decisions
    WHERE xact >= pg_snapshot_xmin(CAST(:after AS pg_snapshot))::text::bigint
      AND xact < pg_snapshot_xmax(CAST(:upto AS pg_snapshot))::text::bigint
      AND NOT pg_visible_in_snapshot(xact::text::xid8, CAST(:after AS pg_snapshot))
      AND pg_visible_in_snapshot(xact::text::xid8, CAST(:upto AS pg_snapshot))
      AND id > :id
    ORDER BY id
    LIMIT :limit
""")
_ACTIVE = text("""
    SELECT d.id, d.serial, d.scope, d.value, d.model, d.action, d.until, d.origin, d.reason, d.verdict, d.shadow
    FROM decision_heads AS head JOIN decisions AS d ON d.id = head.decision
    WHERE head.until > now() AND head.decision > :id
    ORDER BY head.decision
    LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Point:
    """A point in the log."""

    seen: str  # the committed transactions, as Postgres writes a pg_snapshot
    at: datetime  # by the database's clock


def now(engine: Engine) -> Point:
    """Return the point of this moment: everything that has committed is before it, everything else after."""
    with engine.connect() as connection:
        seen, at = connection.execute(_NOW).one()
        return Point(seen, at)


def fits(engine: Engine, seen: str) -> bool:
    """Tell whether `seen` can be of this database. One from before a restore into another server is ahead of it."""
    if not FORM.fullmatch(seen):
        return False
    lowest, highest, *_ = map(int, seen.split(":")[:2])
    if lowest > highest:
        return False
    with engine.connect() as connection:
        return bool(connection.execute(_FITS, {"seen": seen}).scalar_one())


def between(engine: Engine, after: str, upto: str) -> Iterator[list[Decision]]:
    """Yield pages of the decisions that `upto` saw and `after` did not: each once, by number. Both are `Point.seen`.

    No transaction stays open while the caller is busy with a page.
    """
    return _pages(engine, _BETWEEN, {"after": after, "upto": upto})


def active(engine: Engine) -> Iterator[list[Decision]]:
    """Yield pages of the decisions in force now, shadow ones and allowances too, by number."""
    return _pages(engine, _ACTIVE, {})


def _pages(engine: Engine, query: TextClause, bound: Mapping[str, str]) -> Iterator[list[Decision]]:
    last, full = 0, True
    while full:
        with engine.connect() as connection:
            found = [decision(row) for row in connection.execute(query, {**bound, "id": last, "limit": PAGE})]
        if found:
            yield found
            last = found[-1].id
        full = len(found) == PAGE


def decision(row: object) -> Decision:
    """Return a row of the table `decisions` as everybody is told of it."""
    known = row._mapping  # type: ignore[attr-defined]  # noqa: SLF001  # documented
    return Decision(
        id=known["id"],
        serial=known["serial"],
        key=Key(Scope(known["scope"]), known["value"], known["model"]),
        action=Action.parse(known["action"]),
        until=microseconds(known["until"]),
        origin=Origin(known["origin"]),
        reason=known["reason"],
        verdict=None if known["verdict"] is None else str(known["verdict"]),
        shadow=known["shadow"],
    )
