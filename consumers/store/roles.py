"""What database roles may do. Logins are members of one of them; whoever migrates owns the tables and is none of them.

| role | for whom | may |
|---|---|---|
| gamekeeper_analyst | people who ask | read the views |
| gamekeeper_writer | `detect`, `api`, the commands of people | read all, write; never change what was judged |
| gamekeeper_admin | `gamekeeper forget` | what the writer may, and change or delete any row |

Only an owner adds and drops partitions in Postgres: `migrate`, `deliver` and `retain` log in as the owner.
"""

from collections.abc import Iterable

from psycopg2 import sql
from psycopg2.errors import InsufficientPrivilege
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from consumers.store.engine import driver

ANALYST = "gamekeeper_analyst"
WRITER = "gamekeeper_writer"
ADMIN = "gamekeeper_admin"
ROLES = (ANALYST, WRITER, ADMIN)
VIEWS = (
    "active_decisions",
    "client_daily",
    "client_latest",
    "detector_quality",
    "episode_timeline",
    "ingest_lag",
    "leakage_by_client",
    "model_overview",
    "suspects",
    "time_to_enforce",
    "top_suspects_24h",
)
APPENDED = ("audit_log", "decisions", "evidence", "verdicts")  # what was judged, decided and done is never edited
KEPT = ("alembic_version",)  # the steps' own: read, so that a process knows its schema

_MISSING = (
    "the role {0} is missing and this login may not create it; "
    "have an administrator run: CREATE ROLE {0} NOLOGIN; then run this again"
)
# Roles belong to the whole server: another schema's migration may create the same one at this moment.
_CREATE = """
DO $$ BEGIN
    CREATE ROLE {} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""
_EXISTS = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")
_PRESENT = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND NOT relispartition AND relkind::text = ANY (:kinds)
""")


def grant(connection: Connection, schema: str) -> list[str]:
    """Create the roles that are missing, and give each its rights. Returns notes for a person."""
    notes = []
    for role in ROLES:
        if _made(connection, role):
            _run(connection, "GRANT USAGE ON SCHEMA {} TO {}", schema, role)
            for right, names in _rights(connection, role):
                _grant(connection, right, names, role)
        else:
            notes.append(_MISSING.format(role))
    return notes


def revoke(connection: Connection, schema: str) -> None:
    """Take the roles' rights on this schema back. The roles stay: other schemas may use them."""
    for role in ROLES:
        if connection.execute(_EXISTS, {"role": role}).scalar_one():
            _run(connection, "REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}", schema, role)
            _run(connection, "REVOKE USAGE ON SCHEMA {} FROM {}", schema, role)


def _rights(connection: Connection, role: str) -> list[tuple[str, set[str]]]:
    """Return which rights a role gets on which of the tables and views that are there."""
    views = _present(connection, "v") & set(VIEWS)
    if role == ANALYST:
        return [("SELECT", views)]
    tables = _present(connection, "r", "p")
    working = tables - {*KEPT} - ({*APPENDED} if role == WRITER else set())
    return [("SELECT", tables | views), ("INSERT", tables - {*KEPT}), ("UPDATE, DELETE", working)]


def _present(connection: Connection, *kinds: str) -> set[str]:
    return set(connection.execute(_PRESENT, {"kinds": list(kinds)}).scalars())


def _made(connection: Connection, role: str) -> bool:
    """Create a role where it is missing. Tells whether it is there."""
    if connection.execute(_EXISTS, {"role": role}).scalar_one():
        return True
    try:
        with connection.begin_nested():
            _run(connection, _CREATE, role)
    except OperationalError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        return False
    return True


def _grant(connection: Connection, right: str, names: Iterable[str], role: str) -> None:
    for name in sorted(names):
        _run(connection, f"GRANT {right} ON {{}} TO {{}}", name, role)


def _run(connection: Connection, statement: str, *names: str) -> None:
    """Run a statement with names in it: they cannot be bound, so they are quoted by the driver."""
    with driver(connection) as direct, direct.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
