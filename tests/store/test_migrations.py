"""The schema: its steps up and down, its equality with the models, its comments, its roles."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, Executable, delete, literal, select, table, text
from sqlalchemy.exc import ProgrammingError

from consumers.store import checkpoint, migrate, roles
from consumers.store.engine import BadDatabase, connect
from consumers.store.facts import Checkpoint
from consumers.store.schema import metadata
from tests.store.given import PLACE, one, rows, snapshot

CHILDREN = "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE c.relkind = 'r'"
TABLES = (
    "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')"
)


def test_models_equal_migrations(engine: Engine) -> None:
    """What the migrations make is what the models say, down to comments and defaults."""
    partitions = {name for (name,) in rows(engine, CHILDREN)}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _parents: kind != "table" or name not in partitions,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_partitioned_tables_take_every_day(engine: Engine) -> None:
    """Verdicts and evidence are partitioned by time, with a partition for days that have none."""
    kept = rows(engine, "SELECT relname FROM pg_class WHERE relkind = 'p' ORDER BY relname")
    assert kept == [("evidence",), ("verdicts",)]
    assert {name for (name,) in rows(engine, CHILDREN)} >= {"evidence_default", "verdicts_default"}


def test_downgrade_leaves_nothing_and_upgrade_comes_back(empty_database: str) -> None:
    """Down to the start takes every table and view along; up again makes them all again."""
    migrate.upgrade(empty_database)
    engine = connect(empty_database)
    assert migrate.version(engine) == migrate.newest()
    full = one(engine, TABLES)
    migrate.downgrade(empty_database)
    assert migrate.version(engine) is None
    assert one(engine, TABLES) == 1  # alembic's own
    migrate.upgrade(empty_database)
    assert one(engine, TABLES) == full
    engine.dispose()


def test_each_step_can_be_taken_back(empty_database: str) -> None:
    """From the newest version one step down and up again ends where it began."""
    migrate.upgrade(empty_database)
    migrate.downgrade(empty_database, to="-1")
    migrate.upgrade(empty_database)
    engine = connect(empty_database)
    assert migrate.version(engine) == migrate.newest()
    engine.dispose()


def test_two_migrations_at_once_are_safe(empty_database: str) -> None:
    """Of two that start together one migrates, and the other finds nothing to do."""
    with ThreadPoolExecutor(2) as pool:
        notes = list(pool.map(migrate.upgrade, [empty_database] * 2))
    assert notes == [[], []]


def test_another_schema(empty_database: str) -> None:
    """A schema of another name is made and seen alone."""
    migrate.upgrade(empty_database, "elsewhere")
    engine = connect(empty_database, "elsewhere")
    assert migrate.version(engine) == migrate.newest()
    assert rows(engine, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []
    engine.dispose()


@pytest.mark.parametrize("schema", ["", "Public", "a; DROP TABLE x", "a-b"])
def test_a_bad_schema_name_is_refused(database: str, schema: str) -> None:
    """A schema's name goes into no statement unless it is a plain one."""
    with pytest.raises(BadDatabase):
        connect(database, schema)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "mysql://u:secret@h/d"])
def test_a_bad_url_is_refused_without_its_password(url: str) -> None:
    """Another database, or none, is named as a fault in a line without secrets."""
    with pytest.raises(BadDatabase) as caught:
        connect(url)
    assert "secret" not in str(caught.value)


def test_everything_has_a_comment(engine: Engine) -> None:
    """Every table, view and column of ours says what it means."""
    bare = rows(
        engine,
        """
        SELECT c.relname, a.attname
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND NOT c.relispartition AND c.relname <> 'alembic_version' AND col_description(c.oid, a.attnum) IS NULL
        """,
    )
    silent = rows(
        engine,
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
          AND NOT relispartition AND relname <> 'alembic_version' AND obj_description(oid) IS NULL
        """,
    )
    assert (bare, silent) == ([], [])


def test_times_have_a_zone(engine: Engine) -> None:
    """No column holds a time without a zone, and sessions speak UTC."""
    naive = "SELECT count(*) FROM information_schema.columns WHERE data_type = 'timestamp without time zone'"
    assert one(engine, f"{naive} AND table_schema = current_schema()") == 0
    assert one(engine, "SHOW timezone") == "UTC"


def test_analysts_read_the_views_and_nothing_else(engine: Engine) -> None:
    """The role of the analysts reads every view, and neither reads nor writes a table."""
    for view in roles.VIEWS:
        _as_analyst(engine, select(literal(1)).select_from(table(view)))
    for name in (*metadata.tables, "verdicts_default", "alembic_version"):
        for statement in (select(literal(1)).select_from(table(name)), delete(table(name))):
            with pytest.raises(ProgrammingError, match="permission denied"):
                _as_analyst(engine, statement)
    with pytest.raises(ProgrammingError, match="permission denied"):
        _as_analyst(engine, text("CREATE TABLE mine (a int)"))


def test_views_are_all_granted(engine: Engine) -> None:
    """Every view that a migration makes is one that the role may read."""
    assert {
        name for (name,) in rows(engine, "SELECT viewname FROM pg_views WHERE schemaname = current_schema()")
    } == set(roles.VIEWS)


def test_a_login_without_the_right_to_create_roles(engine: Engine) -> None:
    """Where a role is missing and cannot be made, a note says what to do. All in a transaction that is taken back."""
    with engine.connect() as connection:
        connection.execute(text("ALTER ROLE gamekeeper_analyst RENAME TO analyst_of_another_name"))
        connection.execute(text("CREATE ROLE plain_owner"))
        connection.execute(text("GRANT ALL ON SCHEMA public TO plain_owner WITH GRANT OPTION"))
        connection.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain_owner WITH GRANT OPTION"))
        connection.execute(text("SET LOCAL ROLE plain_owner"))
        [note] = roles.grant(connection, "public")
        connection.rollback()
    assert "CREATE ROLE gamekeeper_analyst" in note


def _as_analyst(engine: Engine, statement: Executable) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL ROLE gamekeeper_analyst"))
        connection.execute(statement)


def test_snapshots_are_not_compressed_a_second_time(engine: Engine) -> None:
    """Postgres stores their bytes as they come, in the table and in the stage that they go through."""
    checkpoint.save(engine, checkpoint.claim(engine, PLACE), Checkpoint(next=1, snapshots=[snapshot("alice")]))
    storage = "SELECT attstorage FROM pg_attribute WHERE attrelid = '{}'::regclass AND attname = 'data'"
    assert one(engine, storage.format("snapshots")) == "e"
    assert one(engine, storage.format("stage_snapshots")) == "e"
