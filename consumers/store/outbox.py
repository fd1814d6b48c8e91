"""The outbox: who takes a delivery, and what became of it.

A delivery is leased, not locked: nothing is held in the database while it is sent, and one whose sender died is due
again when the lease ends. Of one channel and key the older goes first.
"""

import select as waiting
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from psycopg2 import sql
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Interval,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from consumers.store.engine import driver
from consumers.store.owed import WAKE, message
from consumers.store.schema import deliveries

SHORTEST_SECONDS = 0.01  # of a wait: against spinning while two clocks disagree
_LISTEN = sql.SQL("LISTEN {}").format(sql.Identifier(WAKE))
_UNLISTEN = sql.SQL("UNLISTEN {}").format(sql.Identifier(WAKE))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One decision, alert, API key or role owed to one channel."""

    id: int
    channel: str
    kind: str  # "decision", "alert", "key", "role" or "tombstone"
    payload: bytes | None  # None: a tombstone
    key: bytes
    attempts: int  # 1: the first
    due: datetime
    message: str  # the same for every try: what a receiver tells repetitions by


@dataclass(frozen=True, slots=True)
class Delivered:
    """It arrived."""


@dataclass(frozen=True, slots=True)
class Retry:
    """It did not arrive; try again."""

    seconds: float  # from now
    why: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It will not be tried again."""

    why: str


Outcome = Delivered | Retry | GivenUp


def claim_deliveries(
    engine: Engine, limit: int, lease_seconds: float, channels: Sequence[str] | None = None
) -> list[Delivery]:
    """Take up to `limit` deliveries that may be tried now, oldest first; None: of every channel."""
    bound = {"limit": limit, "lease": timedelta(seconds=lease_seconds)}
    with engine.begin() as connection:
        taken = connection.execute(_asked(channels is not None).take, bound | _bound(channels))
        return sorted(map(_delivery, taken), key=lambda delivery: delivery.id)


def settle(engine: Engine, delivery: int, outcome: Outcome) -> None:
    """Record what became of a try. One that was settled before stays as it is."""
    match outcome:
        case Delivered():
            values: dict[str, Any] = {"outcome": "delivered", "settled": func.now(), "why": None}
        case GivenUp(why):
            values = {"outcome": "given-up", "settled": func.now(), "why": why}
        case Retry(seconds, why):
            values = {"due": func.now() + timedelta(seconds=seconds), "why": why}
    with engine.begin() as connection:
        owed = deliveries.c.id == delivery, deliveries.c.outcome.is_(None)
        connection.execute(update(deliveries).where(*owed).values(leased=None, **values))
        if isinstance(outcome, Delivered):  # a tombstone's own key is what is to be forgotten
            connection.execute(delete(deliveries).where(deliveries.c.id == delivery, deliveries.c.kind == "tombstone"))


def listen(engine: Engine, timeout: float, channels: Sequence[str] | None = None) -> bool:
    """Wait until a delivery may be tried, at most `timeout` seconds. Tells whether one may be.

    Nothing is missed between two calls: it begins to listen, then looks, then waits.
    """
    end = time.monotonic() + timeout
    asked, bound = _asked(channels is not None), _bound(channels)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, _listening(connection) as wait:
        while not connection.execute(asked.any, bound).scalar_one():
            left = end - time.monotonic()
            if left <= 0:
                return False
            due_in = connection.execute(asked.next, bound).scalar_one()
            wait(left if due_in is None else min(left, max(float(due_in), SHORTEST_SECONDS)))
        return True


def hear(engine: Engine, seconds: float) -> None:
    """Wait until somebody owes something to whatever channel, at most `seconds`; words between two calls are missed."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, _listening(connection) as wait:
        wait(seconds)


@contextmanager
def _listening(connection: Connection) -> Iterator[Callable[[float], None]]:
    """Yield a function that sleeps until somebody owes something, at most the given seconds."""
    with driver(connection) as direct, direct.cursor() as cursor:

        def wait(seconds: float) -> None:
            waiting.select([direct], [], [], seconds)
            direct.poll()
            direct.notifies.clear()

        cursor.execute(_LISTEN)
        try:
            yield wait
        finally:
            if not direct.closed:
                cursor.execute(_UNLISTEN)


class _Asked(NamedTuple):
    """What is asked of the deliveries of some channels, or of all."""

    take: Executable
    any: Executable  # whether one may be tried now
    next: Executable  # seconds until the next is due; null when none waits


@cache  # building them takes longer than running them, and somebody waits for what is sent
def _asked(some: bool) -> _Asked:
    row, now = deliveries.c, func.clock_timestamp()
    first = _first()
    if some:
        first &= row.channel.in_(bindparam("channels", expanding=True))
    ready = first & (row.due <= now) & or_(row.leased.is_(None), row.leased < now)
    oldest = select(row.id).where(ready).order_by(row.id).limit(bindparam("limit"))
    chosen = oldest.with_for_update(skip_locked=True).cte("chosen")
    leased = {"leased": func.now() + bindparam("lease", type_=Interval()), "attempts": row.attempts + 1}
    soonest = func.min(func.greatest(row.due, func.coalesce(row.leased, row.due)))
    return _Asked(
        take=update(deliveries).where(row.id == chosen.c.id).values(leased).returning(deliveries),
        any=select(exists().where(ready)),
        next=select(func.extract("epoch", soonest - now)).where(first),
    )


def _bound(channels: Sequence[str] | None) -> dict[str, Any]:
    return {} if channels is None else {"channels": list(channels)}


def _first() -> ColumnElement[bool]:
    """Return the condition of being owed, with nothing older of the same channel and key owed."""
    row = deliveries.c
    older = deliveries.alias("older")
    blocked = exists().where(
        older.c.outcome.is_(None), older.c.channel == row.channel, older.c.key == row.key, older.c.id < row.id
    )
    return row.outcome.is_(None) & ~blocked


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        channel=row.channel,
        kind=row.kind,
        payload=None if row.payload is None else row.payload.encode(),
        key=row.key.encode(),
        attempts=row.attempts,
        due=row.due,
        message=message(row.subject),
    )
