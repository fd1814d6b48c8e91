"""Sql: the analysts' questions against a year of verdicts in a real Postgres, made by generate_series day by day.

How many rows there are is bounded by the disk: at most a third of what is free. Each question is asked in a session of
its own once, which has every partition to learn of, and then again and again.
"""

import argparse
import shutil
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.progress import track
from sqlalchemy import Engine, text

from benchmarks.servers import standing
from consumers.store import chores, migrate
from consumers.store.engine import connect

DAYS = 365
BYTES = 1_900  # a verdict with its three readings, their indexes, and its share of all else, as measured
READINGS = 3
ASKED = 5  # times, warm

# Rows are numbered from 0 over the year. A client comes back every :clients rows; five verdicts make an episode.
VERDICTS = """
    INSERT INTO verdicts (client, model, serial, at, id, tenant, episode, standing, previous, cause, action, seconds,
        shadow, score, leakage, queries, population, policy, reason, topic, partition, record_offset, record_row,
        written)
    SELECT 'client-' || (n * 7919 % :clients), CASE WHEN n % 3 = 0 THEN 'digits' ELSE 'faces' END, n / :clients + 1, at,
           gen_random_uuid(), 'tenant-' || n % 50, n / :clients / 5 + 1,
           (ARRAY['watched', 'suspected', 'confirmed', 'confirmed', 'clear'])[(n / :clients + n) % 5 + 1],
           (ARRAY['clear', 'watched', 'suspected', 'confirmed', 'confirmed'])[(n / :clients + n) % 5 + 1],
           'evidence', (ARRAY['allow', 'throttle', 'block', 'block', 'allow'])[(n / :clients + n) % 5 + 1], 3600, false,
           random(), random(), n, 'p1', 'c' || n % 4, '31 label flips in 64 near pairs of queries',
           'predictions', n % 8, n, 0, at + interval '200 ms'
    FROM (SELECT n, CAST(:start AS timestamptz) + n * CAST(:apart AS interval) AS at
          FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint) - 1) AS n) AS numbered
"""
EVIDENCE = """
    INSERT INTO evidence (verdict, at, position, signal, kind, value, because)
    SELECT id, at, p, (ARRAY['line', 'unlike', 'probe'])[p + 1], (ARRAY['line', 'unlike', 'probe'])[p + 1],
           random() * 20,
           '31 label flips in 64 near pairs of queries, the nearest 0.02 apart'
    FROM verdicts CROSS JOIN generate_series(0, :readings - 1) AS p WHERE at >= :from AND at < :until
"""
REST = {
    "episodes": """
        INSERT INTO episodes (client, model, number, id, opened, closed, standing, highest, score, verdicts,
            signals, policy)
        SELECT client, model, episode, gen_random_uuid(), min(at), max(at) FILTER (WHERE standing = 'clear'),
               (array_agg(standing ORDER BY serial DESC))[1], 'confirmed', max(score), count(*),
               '["line", "unlike", "probe"]', max(policy)
        FROM verdicts GROUP BY client, model, episode""",
    "standings": """
        INSERT INTO standings (client, model, tenant, standing, since, serial, episode, action, shadow, score, leakage,
            queries, population, policy, reason, verdict)
        SELECT DISTINCT ON (client, model) client, model, tenant, standing, at, serial, episode, action, shadow, score,
            leakage, queries, population, policy, reason, id
        FROM verdicts ORDER BY client, model, serial DESC""",
    "external": "ALTER TABLE snapshots ALTER COLUMN data SET STORAGE EXTERNAL",  # as packed bytes are: not compressed
    "snapshots": """
        INSERT INTO snapshots (client, model, tenant, topic, partition, standing, serial, episode, queries, score,
            leakage, last, population, policy, data)
        SELECT client, model, tenant, 'predictions', serial % 8, standing, serial, episode, queries, score, leakage,
            since, population, policy, decode(repeat(md5(client), 190), 'hex')
        FROM standings""",
    "decisions": """
        INSERT INTO decisions (scope, value, model, serial, action, until, origin, reason, shadow, verdict, judged,
            made)
        SELECT 'client_id', client, model, serial, action, at + interval '4 hours', 'detector', reason, shadow, id, at,
            written
        FROM verdicts WHERE action <> 'allow'""",
    "heads": """
        INSERT INTO decision_heads (scope, value, model, serial, decision, action, until, origin, shadow)
        SELECT DISTINCT ON (scope, value, model) scope, value, model, serial, id, action, until, origin, shadow
        FROM decisions ORDER BY scope, value, model, serial DESC""",
    "deliveries": """
        INSERT INTO deliveries (channel, kind, key, subject, payload, outcome, settled, made)
        SELECT 'topic', 'decision', value, 'decision:' || id, '{}', 'delivered', made + interval '30 ms', made
        FROM decisions WHERE made > now() - interval '30 days'""",
    "feedback": """
        INSERT INTO feedback (client, model, what, why, who, heard)
        SELECT 'client-' || n, '*', (ARRAY['true-positive', 'false-positive', 'authorised-test'])[n % 3 + 1], '', 'ann',
            now()
        FROM generate_series(1, 200) AS n""",
    "offsets": """
        INSERT INTO offsets (consumer_group, topic, topic_id, partition, next, snapshot_next, saved)
        SELECT 'g', 'predictions', 'life', n, 1000, 900, now() FROM generate_series(0, 7) AS n""",
}
QUESTIONS = {
    "active_decisions: the newest 100": "SELECT * FROM active_decisions ORDER BY made DESC LIMIT 100",
    "active_decisions: of a client": "SELECT * FROM active_decisions WHERE scope = 'client_id' AND value = 'client-77'",
    "client_latest: of a client": "SELECT * FROM client_latest WHERE client = 'client-77'",
    "client_latest: worst 50 of a model": "SELECT client, standing, score FROM client_latest WHERE model = 'digits' "
    "ORDER BY score DESC LIMIT 50",
    "client_daily: of a client": "SELECT * FROM client_daily WHERE client = 'client-77' ORDER BY day",
    "top_suspects_24h": "SELECT * FROM top_suspects_24h",
    "time_to_enforce: p95 of a day": "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds_to_decide), "
    "percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds_to_publish) FROM time_to_enforce "
    "WHERE made > now() - interval '24 hours'",
    "detector_quality": "SELECT * FROM detector_quality",
    "ingest_lag": "SELECT * FROM ingest_lag",
    "model_overview": "SELECT * FROM model_overview",
    "episode_timeline: of a client": "SELECT * FROM episode_timeline WHERE client = 'client-77' ORDER BY at",
    "leakage_by_client: most of a model": "SELECT * FROM leakage_by_client WHERE model = 'digits' "
    "ORDER BY leakage DESC LIMIT 50",
}
BY_TIME = {  # what an index on a verdict's time is for
    "the newest 100 verdicts": "SELECT client, at FROM verdicts ORDER BY at DESC LIMIT 100",
    "verdicts of 10 minutes": "SELECT count(*) FROM verdicts WHERE at >= CAST(:then AS timestamptz) "
    "AND at < CAST(:then AS timestamptz) + interval '10 minutes'",
}
INDEXES = {
    "B-tree": "CREATE INDEX ix_verdicts_at ON verdicts (at)",
    "BRIN": "CREATE INDEX ix_verdicts_at ON verdicts USING brin (at) WITH (pages_per_range = 16)",
    "none": "SELECT",
}
_SIZE = """
    SELECT coalesce(sum(pg_relation_size(inhrelid)), 0) FROM pg_inherits
    WHERE inhparent = to_regclass('ix_verdicts_at')
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--rows", type=int, default=2_000_000, metavar="N", help="verdicts, if the disk has room")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Fill a year and ask."""
    with standing(kafka=False) as servers:
        room = shutil.disk_usage(servers.folder).free // 3 // BYTES
        rows = min(chosen.rows, room)
        engine = _filled(servers.postgres, rows)
        asked = [_asked(engine, name, question, {}) for name, question in QUESTIONS.items()]
        indexes = _indexes(engine)
        note = (
            f"{rows:,} verdicts ({chosen.rows:,} wanted, {room:,} have room), {READINGS * rows:,} readings, "
            f"{DAYS} days, {_clients(rows):,} clients; {_megabytes(engine):,} MB. Milliseconds: first in a new "
            f"session, then median and worst of {ASKED}"
        )
        engine.dispose()
        return {"rows": asked + indexes, "note": note}


def _filled(database: str, rows: int) -> Engine:
    migrate.upgrade(database)
    engine = connect(database)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = datetime.now(UTC) - timedelta(days=DAYS)
    chores.partitions_ahead(engine, DAYS + 2, today.date() - timedelta(days=DAYS))
    apart = timedelta(days=DAYS) / rows
    for day in track(range(DAYS), "a year of verdicts", transient=True):
        first, last = rows * day // DAYS, rows * (day + 1) // DAYS
        span = {"from": start + first * apart, "until": start + last * apart}
        numbers = {"clients": _clients(rows), "start": start, "apart": apart, "first": first, "last": last}
        _run(engine, VERDICTS, numbers)
        _run(engine, EVIDENCE, span | {"readings": READINGS})
    for step in track(REST.values(), "what follows from them", transient=True):
        _run(engine, step, {})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
    return engine


def _clients(rows: int) -> int:
    return max(rows // 40, 1_000)


def _run(engine: Engine, statement: str, bound: dict[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(statement), bound)


def _asked(engine: Engine, name: str, question: str, bound: dict[str, Any]) -> dict[str, Any]:
    engine.dispose()  # the next session knows nothing yet
    with engine.connect() as connection:
        times, found = [], 0
        for _ in range(ASKED + 1):
            begun = time.perf_counter()
            found = len(connection.execute(text(question), bound).all())
            times.append(1e3 * (time.perf_counter() - begun))
    return _row(name, found, times)


def _row(name: str, found: int, times: Sequence[float]) -> dict[str, Any]:
    warm = times[1:]
    return {
        "question": name,
        "rows": found,
        "first": f"{times[0]:.1f}",
        "median": f"{statistics.median(warm):.1f}",
        "worst": f"{max(warm):.1f}",
    }


def _indexes(engine: Engine) -> list[dict[str, Any]]:
    """Ask what goes by time with each kind of index, made anew."""
    then = {"then": datetime.now(UTC) - timedelta(days=100)}
    found = []
    for kind, make in INDEXES.items():
        _run(engine, "DROP INDEX IF EXISTS ix_verdicts_at", {})
        _run(engine, make, {})
        size = _number(engine, _SIZE) // 1_000_000
        for name, question in BY_TIME.items():
            bound = then if ":then" in question else {}
            found.append(_asked(engine, f"{name}, {kind} ({size} MB)", question, bound))
    return found


def _megabytes(engine: Engine) -> int:
    return _number(engine, "SELECT pg_database_size(current_database())") // 1_000_000


def _number(engine: Engine, question: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(question)).scalar_one())
