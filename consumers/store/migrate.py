"""Brings a schema to a version: one transaction, one at a time, then the roles' rights.

The steps are in the package `migrations`, which is installed beside this one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.schema import CreateSchema

from consumers.store.engine import DEFAULT_SCHEMA, connect
from consumers.store.roles import grant, revoke

OLDEST_SERVER = 140_000  # PostgreSQL 14: pg_terminate_backend with a time limit
_LOCK = "gamekeeper migrate"


class TooOld(RuntimeError):  # noqa: N818  # named for what it says to the operator
    """A server older than this program can use."""

    for_people = True  # the command line prints the message as it is


def upgrade(url: str, schema: str = DEFAULT_SCHEMA, to: str = "head") -> list[str]:
    """Bring `schema` to the newest version, making it if it is not there.

    Two at once are safe: the second waits, then finds nothing to do. Returns notes for a person, one line each.
    Raises TooOld, and SQLAlchemyError when the server refuses.
    """
    with _migrating(url, schema) as connection:
        connection.execute(CreateSchema(schema, if_not_exists=True))
        command.upgrade(_config(connection), to)
        return grant(connection, schema)


def downgrade(url: str, schema: str = DEFAULT_SCHEMA, to: str = "base") -> None:
    """Take `schema` back to a version; "base" leaves it without tables and loses what they held."""
    with _migrating(url, schema) as connection:
        revoke(connection, schema)
        command.downgrade(_config(connection), to)
        if to != "base":
            grant(connection, schema)


def version(engine: Engine) -> str | None:
    """Return the version that the engine's schema has; None: it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """Return the version that this program needs."""
    head = ScriptDirectory.from_config(_config(None)).get_current_head()
    if head is None:  # no steps were installed
        raise RuntimeError("the package `migrations` holds no steps: install gamekeeper again")
    return head


@contextmanager
def _migrating(url: str, schema: str) -> Iterator[Connection]:
    engine = connect(url, schema, "gamekeeper-migrate")
    try:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            held = connection.execute(text("SHOW server_version_num")).scalar_one()
            if int(held) < OLDEST_SERVER:
                raise TooOld(f"PostgreSQL 14 or later is needed, the server says {held}")
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{_LOCK} {schema}", 0))))
            yield connection
    finally:
        engine.dispose()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
