"""A year of verdicts in a real Postgres, written by COPY day by day, and what follows from them.

Verdict n of the year is the k-th of client slot j (n = k * clients + j): every client comes back LIFE times, evenly
spread. Five verdicts make an episode: watched, suspected, confirmed, confirmed, clear. Four clients in 25 are a step or
more ahead, so that their last episode is open. All follows from n, so heads need not be read out of all verdicts.
"""

import hashlib
import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from psycopg2 import sql
from rich.progress import Progress
from sqlalchemy import Engine, text

from consumers.store import chores, migrate
from consumers.store.engine import connect, driver

DAYS: Final = 365
LIFE: Final = 40  # verdicts of a client in a year
REASON: Final = "31 label flips in 64 near pairs of queries"
READINGS: Final = tuple(  # behind each verdict, but for its name and time
    f"{position}\t{signal}\t{signal}\t{9.5 - position}\t{REASON}, the nearest 0.02 apart\n"
    for position, signal in enumerate(("line", "unlike", "probe"))
)
WRITTEN: Final = timedelta(milliseconds=200)  # after the record that decided
HELD: Final = timedelta(hours=4)
CHUNK: Final = 10_000  # verdicts of one COPY
STANDINGS: Final = ("watched", "suspected", "confirmed", "confirmed", "clear")
ACTIONS: Final = ("allow", "throttle", "block", "block", "allow")
ORDER: Final = 7_919  # a prime: the names of clients do not come in their order

COLUMNS: Final = {
    "verdicts": "client, model, serial, at, id, tenant, episode, standing, previous, cause, action, seconds, shadow, "
    "score, leakage, queries, population, policy, reason, topic, partition, record_offset, record_row, written",
    "evidence": "verdict, at, position, signal, kind, value, because",
    "decisions": "scope, value, model, serial, action, until, origin, reason, shadow, verdict, judged, made",
}
# The same life in SQL: `clients` has a row for each slot, with its name, its model and how many steps it is ahead.
_CLIENTS: Final = f"""
    WITH slots AS (
        SELECT j, 'client-' || (j * {ORDER} % :clients) AS client, 'tenant-' || j % 50 AS tenant,
               CASE WHEN j % 3 = 0 THEN 'digits' ELSE 'faces' END AS model,
               CASE WHEN j % 25 < {len(STANDINGS)} THEN j % 25 ELSE 0 END AS ahead
        FROM generate_series(CAST(0 AS bigint), :clients - 1) AS j
    )
"""  # noqa: S608  # of numbers above only
_AT: Final = "CAST(:start AS timestamptz) + ({} * CAST(:clients AS bigint) + j) * CAST(:apart AS interval)"
_WORD: Final = f"(ARRAY{list(STANDINGS)})[{{}} % {len(STANDINGS)} + 1]"
REST: Final = {
    "episodes": f"""{_CLIENTS}
        INSERT INTO episodes (client, model, number, id, tenant, opened, closed, standing, highest, score, verdicts,
            signals, policy)
        SELECT client, model, number, gen_random_uuid(), tenant, {_AT.format("first")},
               CASE WHEN (last + ahead) % 5 = 4 THEN {_AT.format("last")} END, {_WORD.format("(last + ahead)")},
               {_WORD.format("least(last + ahead - 5 * (number - 1), 2)")}, random(), last - first + 1,
               '["line", "unlike", "probe"]', 'c' || j % 4
        FROM (
            SELECT slots.*, number, greatest(5 * (number - 1) - ahead, 0) AS first,
                   least(5 * number - 1 - ahead, :life - 1) AS last
            FROM slots CROSS JOIN LATERAL generate_series(1, (:life - 1 + ahead) / 5 + 1) AS number
        ) AS lives""",  # noqa: S608  # of words above only
    "standings": f"""{_CLIENTS}
        INSERT INTO standings (client, model, tenant, standing, since, serial, episode, action, shadow, score, leakage,
            queries, population, policy, reason, verdict)
        SELECT client, model, tenant, {_WORD.format("(:life - 1 + ahead)")}, {_AT.format("(:life - 1)")}, :life,
               (:life - 1 + ahead) / 5 + 1, 'allow', false, random(), random(), 1000 * :life, 'p1', 'c' || j % 4,
               '31 label flips in 64 near pairs of queries', CAST(md5(CAST((:life - 1) * :clients + j AS text)) AS uuid)
        FROM slots""",  # noqa: S608  # as above
    "external": "ALTER TABLE snapshots ALTER COLUMN data SET STORAGE EXTERNAL",  # as packed bytes are: not compressed
    "snapshots": """
        INSERT INTO snapshots (client, model, tenant, topic, partition, standing, serial, episode, queries, score,
            leakage, last, population, policy, data)
        SELECT client, model, tenant, 'predictions', hashtext(client) & 7, standing, serial, episode, queries, score,
            leakage, since, population, policy, decode(repeat(md5(client), 190), 'hex')
        FROM standings""",
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


@dataclass(frozen=True, slots=True)
class Year:
    """A year of so many clients, that ends now."""

    clients: int
    start: datetime

    @property
    def verdicts(self) -> int:
        """How many there are."""
        return self.clients * LIFE

    @property
    def apart(self) -> timedelta:
        """From one verdict to the next; whole microseconds, as SQL reckons with it too."""
        return timedelta(microseconds=timedelta(days=DAYS) // timedelta(microseconds=1) // self.verdicts)

    def days(self) -> Iterator[tuple[date, range]]:
        """Give each day (UTC) with the numbers of its verdicts."""
        first = 0
        for ahead in range(DAYS + 1):
            day = (self.start + timedelta(days=ahead)).date()
            end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            last = min(-((self.start - end) // self.apart), self.verdicts)  # the first number of the next day
            yield day, range(first, last)
            first = last


def year(verdicts: int) -> Year:
    """Return a year with at most so many verdicts."""
    return Year(max(verdicts // LIFE, 100), datetime.now(UTC) - timedelta(days=DAYS))


def fill(database: str, made: Year, progress: Progress) -> Engine:
    """Make the schema and the year in it."""
    migrate.upgrade(database)
    engine = connect(database)
    chores.partitions_ahead(engine, DAYS + 2, made.start.date())
    drawn = random.Random(1).random  # noqa: S311  # no secret
    task = progress.add_task("a year of verdicts", total=made.verdicts)
    for day, numbers in made.days():
        for first in range(numbers.start, numbers.stop, CHUNK):
            chunk = range(first, min(first + CHUNK, numbers.stop))
            _copy(engine, day, _rows(made, chunk, drawn))
            progress.update(task, advance=len(chunk))
    bound = {"clients": made.clients, "life": LIFE, "start": made.start, "apart": made.apart}
    for name, step in progress.track(REST.items(), description="what follows from them"):
        execute(engine, step, {key: value for key, value in bound.items() if f":{key}" in step})
        progress.console.print(name, end=" ")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
    return engine


def execute(engine: Engine, statement: str, bound: dict[str, object]) -> None:
    """Run a statement that may last."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(statement), bound)


def _copy(engine: Engine, day: date, rows: dict[str, str]) -> None:
    """Write a chunk of one day straight into its partitions."""
    with engine.begin() as connection, driver(connection) as direct, direct.cursor() as cursor:
        for table, lines in rows.items():
            name = table if table == "decisions" else f"{table}_{day:%Y%m%d}"
            columns = sql.SQL(COLUMNS[table])
            cursor.copy_expert(
                sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), columns), io.StringIO(lines)
            )


def _rows(made: Year, numbers: range, drawn: Callable[[], float]) -> dict[str, str]:
    """Return the lines of verdicts, evidence and decisions, in COPY's text form."""
    verdicts, evidence, decisions = [], [], []
    for n in numbers:
        k, j = divmod(n, made.clients)
        who = f"client-{j * ORDER % made.clients}\t{'faces' if j % 3 else 'digits'}\t{k + 1}"
        step = k + (j % 25 if j % 25 < len(STANDINGS) else 0)
        time, place = made.start + n * made.apart, step % 5
        at, written, name = str(time), str(time + WRITTEN), hashlib.md5(b"%d" % n).hexdigest()  # noqa: S324  # a name
        action = ACTIONS[place]
        verdicts.append(
            f"{who}\t{at}\t{name}\ttenant-{j % 50}\t{step // 5 + 1}\t{STANDINGS[place]}\t{STANDINGS[place - 1]}\t"
            f"evidence\t{action}\t3600\tf\t{drawn():.6f}\t{drawn():.6f}\t{1_000 * k + 16}\tp1\tc{n % 4}\t{REASON}\t"
            f"predictions\t{j % 8}\t{n}\t0\t{written}\n"
        )
        evidence.append("".join([f"{name}\t{at}\t{reading}" for reading in READINGS]))
        if action != "allow":
            decisions.append(
                f"client_id\t{who}\t{action}\t{time + HELD}\tdetector\t{REASON}\tf\t{name}\t{at}\t{written}\n"
            )
    return {"verdicts": "".join(verdicts), "evidence": "".join(evidence), "decisions": "".join(decisions)}
