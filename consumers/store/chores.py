"""Chores that time drives: decisions that end, keys that may be forgotten, partitions for the days ahead."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection, Engine, delete, func, select, text, update

from consumers.store import alerts, owed
from consumers.store.among import among, named
from consumers.store.engine import driver
from consumers.store.facts import Channels
from consumers.store.schema import decision_heads, unreadable
from detector.decision import Key, Scope

AT_ONCE = 1_000  # heads a transaction takes, so that none lasts long
FORGET = timedelta(days=7)  # after its end a key's newest decision leaves the topic
UNREADABLE_KEPT = 100_000  # the newest, with at most 4 KiB each; the counts in `offsets` know of all
PARTITIONED = ("verdicts", "evidence")


def expire(engine: Engine, channels: Channels, now: datetime | None = None) -> int:
    """Notice decisions whose time is over by the wall clock, and tell of their episodes. Returns how many ended.

    Gateways heed `until` by themselves; here the alert is resolved, once. Call again while it returns AT_ONCE.
    """
    head = decision_heads.c
    with engine.begin() as connection:
        at = now or alerts.clock(connection)
        over = _some(connection, (head.until <= at) & head.expired.is_(None) & (head.action != "allow"))
        _mark(connection, over, expired=at)
        told = {
            row.episode: alerts.Told(f"expiry:{row.decision}", at, "its time is over")
            for row in over
            if row.episode is not None
        }
        alerts.resolve(connection, told, channels)
        return len(over)


def tombstones(engine: Engine, channels: Channels, now: datetime | None = None) -> int:
    """Let channels forget keys whose newest decision ended long ago. Returns how many keys; serials go on."""
    head = decision_heads.c
    with engine.begin() as connection:
        at = now or alerts.clock(connection)
        gone = _some(connection, (head.until <= at - FORGET) & head.tombstoned.is_(None))
        _mark(connection, gone, tombstoned=at)
        ended = [(Key(Scope(row.scope), row.value, row.model), row.serial) for row in gone]
        owed.put(connection, owed.tombstones(ended, channels.decisions))
        return len(gone)


def partitions_ahead(engine: Engine, days: int = 7, today: date | None = None) -> list[str]:
    """Make the partitions of yesterday to `days` ahead that are missing, and return their names.

    Rows of such a day that went to the default partition in the meantime move over.
    """
    first = (today or datetime.now(UTC).date()) - timedelta(days=1)
    made = []
    for table in PARTITIONED:
        for ahead in range(days + 2):
            name = _partition(engine, table, first + timedelta(days=ahead))
            made += [] if name is None else [name]
    return made


def forget_unreadable(engine: Engine, kept: int = UNREADABLE_KEPT) -> int:
    """Let go of what was set aside long ago, but for the newest `kept` and what came with them. Returns how many."""
    row = unreadable.c
    oldest = select(row.found).order_by(row.found.desc()).offset(kept - 1).limit(1).scalar_subquery()
    with engine.begin() as connection:
        return connection.execute(delete(unreadable).where(row.found < oldest)).rowcount


def _some(connection: Connection, condition: Any) -> list[Any]:
    """Lock and return some heads; those that somebody else is writing can wait for the next time."""
    head = decision_heads.c
    found = connection.execute(
        select(decision_heads)
        .where(condition)
        .order_by(head.scope.collate("C"), head.value.collate("C"), head.model.collate("C"))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return list(found)


def _mark(connection: Connection, rows: list[Any], **values: datetime) -> None:
    if not rows:
        return
    head = decision_heads.c
    marked = update(decision_heads).where(among(head.scope, head.value, head.model)).values(**values)
    connection.execute(marked, named((row.scope, row.value, row.model) for row in rows))


def _partition(engine: Engine, table: str, day: date) -> str | None:
    """Make one day's partition, unless it is there."""
    name = f"{table}_{day:%Y%m%d}"
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"partition {name}", 0))))
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None:
            return None
        names = {
            "table": sql.Identifier(table),
            "default": sql.Identifier(f"{table}_default"),
            "name": sql.Identifier(name),
            "start": sql.Literal(f"{day:%Y-%m-%d} 00:00:00+00"),
            "end": sql.Literal(f"{day + timedelta(days=1):%Y-%m-%d} 00:00:00+00"),
        }
        with driver(connection) as direct, direct.cursor() as cursor:
            for step in _STEPS:
                cursor.execute(step.format(**names))
    return name


_STEPS = (
    # no row of the day may slip in between
    sql.SQL("LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE"),
    sql.SQL("CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)"),
    sql.SQL("""
        WITH moved AS (DELETE FROM {default} WHERE at >= {start} AND at < {end} RETURNING *)
        INSERT INTO {name} SELECT * FROM moved
    """),
    sql.SQL("ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"),
)
