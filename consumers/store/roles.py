"""What the database role of the analysts may do: read the views, nothing else."""

from psycopg2 import sql
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from consumers.store.engine import driver

ANALYST = "gamekeeper_analyst"
VIEWS = ("active_decisions", "client_latest", "top_suspects_24h")

_MISSING = (
    f"the role {ANALYST} is missing and this login may not create it; "
    f"have an administrator run: CREATE ROLE {ANALYST} NOLOGIN; then run this again"
)
# Roles belong to the whole server: another schema's migration may create the same one at this moment.
_CREATE = text("""
DO $$ BEGIN
    CREATE ROLE gamekeeper_analyst NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
""")
_EXISTS = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gamekeeper_analyst')")
_PRESENT = text("SELECT viewname FROM pg_views WHERE schemaname = current_schema() AND viewname = ANY (:views)")


def grant(connection: Connection, schema: str) -> list[str]:
    """Create the role where it is missing, and let it read the views. Returns notes for a person."""
    if not connection.execute(_EXISTS).scalar_one():
        try:
            with connection.begin_nested():
                connection.execute(_CREATE)
        except ProgrammingError:  # insufficient privilege
            return [_MISSING]
    _run(connection, "GRANT USAGE ON SCHEMA {} TO {}", schema)
    for view in connection.execute(_PRESENT, {"views": list(VIEWS)}).scalars():
        _run(connection, "GRANT SELECT ON {} TO {}", view)
    return []


def revoke(connection: Connection, schema: str) -> None:
    """Take the role's rights on this schema back. The role stays: other schemas may use it."""
    if connection.execute(_EXISTS).scalar_one():
        _run(connection, "REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}", schema)
        _run(connection, "REVOKE USAGE ON SCHEMA {} FROM {}", schema)


def _run(connection: Connection, statement: str, name: str) -> None:
    """Run a statement with two names in it: names cannot be bound, so they are quoted by the driver."""
    with driver(connection) as direct, direct.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(ANALYST)))
