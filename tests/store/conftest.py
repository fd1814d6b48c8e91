"""A migrated database for the tests of the store: one for all of them, emptied before each, which is much quicker."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from consumers.store.engine import connect
from tests.conftest import administer, database_name, database_url

EMPTY = text("""
    DO $$ DECLARE names text; BEGIN
        SELECT string_agg(format('%I', relname), ', ') INTO names FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
          AND NOT relispartition AND relname <> 'alembic_version';
        EXECUTE 'TRUNCATE ' || names || ' RESTART IDENTITY';
    END $$
""")


@pytest.fixture(scope="session")
def store_database(postgres: str, migrated_template: str) -> Iterator[str]:
    """Return the URL of the database that the store's tests share."""
    name = database_name()
    administer(postgres, f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield database_url(postgres, name)
    administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(store_database: str) -> str:
    """Return the URL of that database, without a row."""
    engine = connect(store_database)
    with engine.begin() as connection:
        connection.execute(EMPTY)
    engine.dispose()
    return store_database


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """Return an engine on that database."""
    engine = connect(database, name="gamekeeper-test")
    yield engine
    engine.dispose()
