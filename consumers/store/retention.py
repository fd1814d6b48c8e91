"""Retention: what is older than its table's days goes, a day's partition at once, the rest some rows at a time.

Never what still acts: rows of open episodes and of decisions in force stay, however old. Safe beside everything else:
each step is a short transaction that gives way when a table is in use, and is done the next time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg2 import sql
from sqlalchemy import Connection, Engine, text

from consumers.store.chores import PARTITIONED
from consumers.store.engine import driver

DAYS = {  # defaults; GAMEKEEPER_RETAIN changes them
    "verdicts": 365,  # with their evidence
    "episodes": 365,
    "decisions": 365,
    "feedback": 730,
    "snapshots": 365,  # and standings, of clients that stand clear, since they were last written
    "marks": 365,
    "deliveries": 30,
    "unreadable": 30,
    "audit_log": 1_095,
}
AT_ONCE = 5_000  # rows a transaction deletes

# What acts: an episode that is not over, or whose decision is in force.
_ACTS = """
    SELECT client, model, number FROM episodes WHERE closed IS NULL
    UNION
    SELECT episodes.client, episodes.model, episodes.number FROM episodes
    JOIN decision_heads ON decision_heads.episode = episodes.id WHERE decision_heads.until > now()
"""
_KEPT = {
    "verdicts": f"(client, model, episode) IN ({_ACTS})",  # two constants of this file
    "evidence": "verdict IN (SELECT id FROM verdicts_kept)",
}
_NO_EPISODE = "NOT EXISTS (SELECT FROM episodes AS one WHERE one.client = {0}.client AND one.model = {0}.model)"
_OLD = {  # which rows of a table may go, by its condition
    "episodes": f"closed < :horizon AND (client, model, number) NOT IN ({_ACTS})",  # as above
    "decisions": "made < :horizon AND NOT EXISTS (SELECT FROM decision_heads AS head WHERE head.decision = decisions.id"
    " AND head.until > now())",
    "feedback": "said < :horizon AND heard IS NOT NULL",
    # who still has an episode keeps its numbers: who comes back begins with 1
    "snapshots": f"written < :horizon AND standing = 'clear' AND {_NO_EPISODE.format('snapshots')}",
    "standings": f"written < :horizon AND standing = 'clear' AND {_NO_EPISODE.format('standings')}",
    "suppressions": "until < :horizon",
    "marks": "at < :horizon",
    "deliveries": "settled < :horizon",
    "unreadable": "found < :horizon",
    "audit_log": "at < :horizon",
}
_WITH = {"standings": "snapshots", "suppressions": "feedback"}  # tables that go with another's days


@dataclass(frozen=True, slots=True)
class Gone:
    """What went of a table."""

    table: str
    days: int
    rows: int
    partitions: int = 0


def retain(engine: Engine, days: Mapping[str, int], now: datetime | None = None) -> list[Gone]:
    """Let go of what is older than `days` of its table, those of DAYS where it says nothing. Returns what went.

    Call it as the owner of the tables. Raises OperationalError when a table stays in use: call again.
    """
    wanted, at = DAYS | dict(days), now or datetime.now(UTC)
    gone = [_judged(engine, wanted["verdicts"], at)]
    for table in _OLD:
        kept = wanted[_WITH.get(table, table)]
        gone.append(Gone(table, kept, _rows(engine, table, at - timedelta(days=kept))))
    return gone


def _judged(engine: Engine, days: int, now: datetime) -> Gone:
    first = (now - timedelta(days=days)).date()
    dropped = rows = 0
    with engine.connect() as connection:
        found = sorted(day for day in map(_day, connection.execute(_PARTITIONS).scalars()) if day and day < first)
    for day in found:
        rows += _drop(engine, day)
        dropped += 1
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Gone("verdicts", days, rows + _rows_of_default(engine, start), dropped)


_KEEP = sql.SQL("CREATE TEMP TABLE {kept} ON COMMIT DROP AS SELECT * FROM {name} WHERE ")
_PARTITIONS = text("""
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('verdicts')
""")


def _day(name: str) -> date | None:
    number = name.removeprefix("verdicts_")
    return date.fromisoformat(number) if number.isdigit() else None


def _drop(engine: Engine, day: date) -> int:
    """Drop a day of verdicts and evidence; what is kept of it moves to the default partitions. Returns rows gone."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))  # who asks meanwhile waits behind us no longer
        connection.execute(text("LOCK TABLE verdicts, evidence IN ACCESS EXCLUSIVE MODE"))
        gone = 0
        for table in PARTITIONED:
            names = {
                "table": sql.Identifier(table),
                "default": sql.Identifier(f"{table}_default"),
                "kept": sql.Identifier(f"{table}_kept"),
                "name": sql.Identifier(f"{table}_{day:%Y%m%d}"),
            }
            gone += _move_and_drop(connection, _KEPT[table], names, table == "verdicts")
    return gone


def _move_and_drop(connection: Connection, kept: str, names: Mapping[str, sql.Identifier], counts: bool) -> int:
    with driver(connection) as direct, direct.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT to_regclass(%s)"), (names["name"].strings[0],))
        if cursor.fetchone()[0] is None:
            return 0
        cursor.execute(_KEEP.format(**names) + sql.SQL(kept))
        cursor.execute(sql.SQL("SELECT count(*) - (SELECT count(*) FROM {kept}) FROM {name}").format(**names))
        gone = int(cursor.fetchone()[0]) if counts else 0
        cursor.execute(sql.SQL("ALTER TABLE {table} DETACH PARTITION {name}").format(**names))
        cursor.execute(sql.SQL("DROP TABLE {name}").format(**names))
        cursor.execute(sql.SQL("INSERT INTO {default} SELECT * FROM {kept}").format(**names))
    return gone


def _rows_of_default(engine: Engine, horizon: datetime) -> int:
    """Delete from the default partitions what was kept there and acts no more, and what came late."""
    with engine.begin() as connection:
        old = {"horizon": horizon}
        gone = connection.execute(
            text(f"DELETE FROM verdicts_default WHERE at < :horizon AND NOT {_KEPT['verdicts']}"),  # noqa: S608  # constants
            old,
        ).rowcount
        connection.execute(_ORPHANS, old)
        return gone


_ORPHANS = text("""
    DELETE FROM evidence_default AS reading WHERE reading.at < :horizon AND NOT EXISTS (
        SELECT FROM verdicts_default AS verdict WHERE verdict.id = reading.verdict AND verdict.at < :horizon)
""")


def _rows(engine: Engine, table: str, horizon: datetime) -> int:
    statement = text(
        f"DELETE FROM {table} WHERE ctid = ANY (ARRAY("  # noqa: S608  # names and conditions are constants of this file
        f"SELECT ctid FROM {table} WHERE {_OLD[table]} LIMIT :some FOR UPDATE SKIP LOCKED))"
    )
    gone = 0
    while True:
        with engine.begin() as connection:
            some = connection.execute(statement, {"horizon": horizon, "some": AT_ONCE}).rowcount
        gone += some
        if some < AT_ONCE:
            return gone
