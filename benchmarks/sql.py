"""Sql: the analysts' questions against a year of verdicts in a real Postgres.

How many there are is bounded by the disk: they and what follows from them take at most two thirds of what is free. Each
question is asked in a session of its own once, which has every partition to learn of, and then again and again.
"""

import argparse
import shutil
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.progress import Progress
from sqlalchemy import Engine, text

from benchmarks.servers import standing
from benchmarks.sql_year import DAYS, READINGS, Year, execute, fill, year

BYTES = 1_900  # a verdict with its three readings, their indexes, and its share of all else, as measured
ASKED = 5  # times, warm
LIMITS = {"client_latest: of a client": 5.0}  # ms
LIMIT = 300.0  # ms, of all others

QUESTIONS = {
    "active_decisions: the newest 100": "SELECT * FROM active_decisions ORDER BY made DESC LIMIT 100",
    "active_decisions: of a client": "SELECT * FROM active_decisions WHERE scope = 'client_id' AND value = 'client-77'",
    "client_latest: of a client": "SELECT * FROM client_latest WHERE client = 'client-77'",
    "suspects: the worst 100": "SELECT client, model, standing, score, leakage, reason FROM suspects "
    "WHERE standing IN ('suspected', 'confirmed') ORDER BY standing = 'confirmed' DESC, score DESC LIMIT 100",
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
    "episode_timeline: of a client, 30 days": "SELECT * FROM episode_timeline WHERE client = 'client-77' "
    "AND at >= :month ORDER BY at",
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
    parser.add_argument("--verdicts", type=int, default=2_000_000, metavar="N", help="if the disk has room")


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Fill a year and ask."""
    with standing(kafka=False) as servers, Progress(transient=True) as progress:
        room = 2 * shutil.disk_usage(servers.folder).free // 3 // BYTES
        made = year(min(chosen.verdicts, room))
        begun = time.perf_counter()
        engine = fill(servers.postgres, made, progress)
        seconds = time.perf_counter() - begun
        month = {"month": datetime.now(UTC) - timedelta(days=30)}
        asked = [_asked(engine, name, question, month) for name, question in QUESTIONS.items()]
        indexes = _indexes(engine)
        note = _note(engine, made, chosen.verdicts, room, seconds)
        engine.dispose()
        return {"rows": asked + indexes, "note": note}


def _note(engine: Engine, made: Year, wanted: int, room: int, seconds: float) -> str:
    rows = _number(engine, "SELECT sum(reltuples)::bigint FROM pg_class WHERE relkind = 'r' AND reltuples > 0")
    megabytes = _number(engine, "SELECT pg_database_size(current_database())") // 1_000_000
    return (
        f"{made.verdicts:,} verdicts ({wanted:,} wanted, {room:,} have room), {len(READINGS) * made.verdicts:,} "
        f"readings, {DAYS} days, {made.clients:,} clients; {megabytes:,} MB, {rows:,} rows written in "
        f"{seconds:,.0f} s. Milliseconds: first in a new session, then median and worst of {ASKED}"
    )


def _asked(engine: Engine, name: str, question: str, bound: dict[str, Any]) -> dict[str, Any]:
    engine.dispose()  # the next session knows nothing yet
    with engine.connect() as connection:
        times, found, asked = [], 0, text(question)
        bound = {name: bound[name] for name in asked.compile().params}
        for _ in range(ASKED + 1):
            begun = time.perf_counter()
            found = len(connection.execute(asked, bound).all())
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
        "wanted": f"{LIMITS.get(name, LIMIT):.0f}" if name in QUESTIONS else "",
    }


def _indexes(engine: Engine) -> list[dict[str, Any]]:
    """Ask what goes by time with each kind of index, made anew."""
    then = {"then": datetime.now(UTC) - timedelta(days=100)}
    found = []
    for kind, make in INDEXES.items():
        execute(engine, "DROP INDEX IF EXISTS ix_verdicts_at", {})
        execute(engine, make, {})
        size = _number(engine, _SIZE) // 1_000_000
        for name, question in BY_TIME.items():
            found.append(_asked(engine, f"{name}, {kind} ({size} MB)", question, then))
    return found


def _number(engine: Engine, question: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(question)).scalar_one())
