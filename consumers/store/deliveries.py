"""What people see of the outbox, and how they have what was given up sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, exists, func, select, update

from consumers.store.facts import Missing
from consumers.store.owed import REPLACED, WAKE, message
from consumers.store.people import Said, audit
from consumers.store.schema import deliveries

WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given-up"
OUTCOMES = (WAITING, DELIVERED, GIVEN_UP, REPLACED)
RESENT_AT_ONCE = 1_000  # deliveries a transaction takes, so that none lasts long


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries to list: the newest `limit` that fit. None: whichever."""

    channel: str | None = None
    outcome: str | None = None  # one of OUTCOMES
    since: datetime | None = None  # owed since then
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery, without what it says."""

    id: int
    channel: str
    kind: str
    key: str
    message: str  # the `webhook-id`
    outcome: str
    attempts: int
    made: datetime
    due: datetime | None  # the next try; None once the outcome is known
    settled: datetime | None
    why: str | None


def listed(engine: Engine, wanted: Wanted) -> list[Line]:
    """Return the deliveries that are wanted, the newest first."""
    row = deliveries.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.channel is not None:
        conditions.append(row.channel == wanted.channel)
    if wanted.outcome is not None:
        conditions.append(row.outcome == (None if wanted.outcome == WAITING else wanted.outcome))
    if wanted.since is not None:
        conditions.append(row.made >= wanted.since)
    query = select(deliveries, _outcome().label("state")).where(*conditions).order_by(row.id.desc())
    with engine.connect() as connection:
        return [_line(found) for found in connection.execute(query.limit(wanted.limit))]


def counts(engine: Engine) -> Mapping[tuple[str, str], int]:
    """Return how many deliveries wait and how many were given up, by channel and outcome."""
    row = deliveries.c
    undelivered = row.outcome.is_(None) | (row.outcome == GIVEN_UP)
    query = select(row.channel, _outcome(), func.count()).where(undelivered).group_by(row.channel, _outcome())
    with engine.connect() as connection:
        return {(channel, outcome): number for channel, outcome, number in connection.execute(query)}


def resend(engine: Engine, ids: Sequence[int], said: Said) -> list[int]:
    """Owe deliveries that were given up again, from the first try on. Returns their ids.

    Each keeps its `webhook-id`; of one channel and key the older goes first, as ever. A decision that a newer one has
    replaced is none: it would be in force again wherever the newer one is long forgotten.
    Raises Missing, and does nothing, when one of them was not given up, or was replaced.
    """
    with engine.begin() as connection:
        found = _owe_again(connection, deliveries.c.id.in_(ids), said)
        others = sorted(set(ids) - set(found))
        if others:
            raise Missing(
                f"delivery {others[0]} was not given up, or a newer decision has replaced it; "
                "`gamekeeper deliveries list` tells of each"
            )
        return found


def resend_given_up(engine: Engine, channel: str, said: Said) -> list[int]:
    """Owe all that a channel was given up on again, in transactions of RESENT_AT_ONCE. Returns their ids.

    Decisions that newer ones replaced stay given up: see `resend`.
    """
    found: list[int] = []
    while True:
        with engine.begin() as connection:
            some = _owe_again(connection, deliveries.c.channel == channel, said)
        found += some
        if len(some) < RESENT_AT_ONCE:
            return found


def _owe_again(connection: Connection, which: ColumnElement[bool], said: Said) -> list[int]:
    row = deliveries.c
    oldest = select(row.id).where(which, row.outcome == GIVEN_UP, ~_replaced()).order_by(row.id).limit(RESENT_AT_ONCE)
    ids = list(connection.execute(oldest.with_for_update()).scalars())
    again: dict[str, Any] = {"outcome": None, "settled": None, "leased": None, "attempts": 0, "due": func.now()}
    connection.execute(update(deliveries).where(row.id.in_(ids)).values(again))
    if ids:
        audit(connection, "deliveries-resend", f"{len(ids)} deliveries", said, {"deliveries": ids})
        connection.execute(select(func.pg_notify(WAKE, "")))
    return ids


def _replaced() -> ColumnElement[bool]:
    """Return the condition of being a decision with a newer one owed to the same channel, delivered or not."""
    row, newer = deliveries.c, deliveries.alias("newer")
    same = (newer.c.channel == row.channel) & (newer.c.key == row.key) & (newer.c.id > row.id)
    return (row.kind == "decision") & exists().where(same)


def _outcome() -> ColumnElement[str]:
    row = deliveries.c
    return case((row.outcome.is_(None), WAITING), else_=row.outcome)


def _line(row: Any) -> Line:
    return Line(
        id=row.id,
        channel=row.channel,
        kind=row.kind,
        key=row.key,
        message=message(row.subject),
        outcome=row.state,
        attempts=row.attempts,
        made=row.made,
        due=row.due if row.state == WAITING else None,
        settled=row.settled,
        why=row.why,
    )
