"""The one way to a database connection."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

DEFAULT_SCHEMA = "public"
CONNECT_SECONDS = 4  # an outage shows within the 5 s in which /healthz has to say so
SILENCE_MS = 10_000  # unacknowledged bytes for this long: the connection is dead (libpq tcp_user_timeout)
STATEMENT_MS = 60_000  # no statement of a process runs longer; migrations set their own
LOCK_MS = 10_000  # nobody waits longer for a row
POOL = 5  # connections a process keeps, unless it says otherwise, and as many more when it is busy

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_DRIVERS = ("postgres", "postgresql", "postgresql+psycopg2")
_FORM = "database: not a SQLAlchemy URL of the form postgresql+psycopg2://user:password@host/name"


class BadDatabase(ValueError):  # noqa: N818  # named for what it says to the operator
    """A database setting that cannot be used; the message says what is wrong, without the password."""

    for_people = True  # the command line prints the message as it is


def connect(url: str, schema: str = DEFAULT_SCHEMA, name: str = "gamekeeper", kept: int = POOL) -> Engine:
    """Return an engine whose connections see `schema` only, in UTC. Nothing is connected yet.

    `name` is what pg_stat_activity shows; `kept` is how many connections are kept. Raises BadDatabase.
    """
    if not _SCHEMA.fullmatch(schema):
        raise BadDatabase(f"schema: {schema!r} is not lower-case letters, digits and underscores")
    engine = create_engine(
        _parse(url),
        pool_size=kept,
        max_overflow=POOL,
        pool_pre_ping=True,
        hide_parameters=True,  # an error message must not carry keys or evidence into a log
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": SILENCE_MS,
            "application_name": name[:63],
        },
    )
    _prepare_sessions(engine, schema)
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise BadDatabase(_FORM) from None
    if parsed.drivername not in _DRIVERS:
        raise BadDatabase(f"database: {parsed.drivername} is not supported, postgresql+psycopg2 is")
    return parsed.set(drivername=_DRIVERS[-1])


@contextmanager
def driver(connection: Connection) -> Iterator[Any]:
    """Lend psycopg2's own connection, for COPY and LISTEN. What it raises comes out as SQLAlchemy's error."""
    try:
        yield connection.connection.driver_connection
    except psycopg2.Error as error:
        raise OperationalError("psycopg2", None, error, hide_parameters=True) from error


def _prepare_sessions(engine: Engine, schema: str) -> None:
    settings = {
        "search_path": schema,
        "timezone": "UTC",
        "statement_timeout": str(STATEMENT_MS),
        "lock_timeout": str(LOCK_MS),
    }

    @event.listens_for(engine, "connect", insert=True)
    def _set(connection: Any, _record: object) -> None:
        before = connection.autocommit
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting, value in settings.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (setting, value))
        connection.autocommit = before
