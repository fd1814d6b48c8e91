"""Back up and restore as docs/operations.md says, with PostgreSQL's own tools: what came back goes on."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from consumers.store.engine import connect
from detector.population import Population
from gamekeeper.embedded.postgres import binary
from tests.conftest import administer, database_name, database_url
from tests.consumers.road import Road, interleaved, until
from tests.consumers.test_detect import assert_exact, crowd, detecting, stored
from tests.store.given import count

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
NAMES = "SELECT id FROM verdicts UNION ALL SELECT id FROM episodes ORDER BY 1"


def tool(name: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's own tools; it must succeed and complain of nothing."""
    done = subprocess.run([binary(name), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def libpq(url: str) -> str:
    """Return the URL as PostgreSQL's tools have it."""
    return url.replace("+psycopg2", "")


@contextmanager
def restored(postgres: str, dump: Path, road: Road) -> Iterator[Road]:
    """Restore a dump into a new database, and yield the road with that one."""
    name = database_name()
    administer(postgres, f"CREATE DATABASE {name}")
    url = database_url(postgres, name)
    tool("pg_restore", "--exit-on-error", f"--dbname={libpq(url)}", dump)
    engine = connect(url)
    try:
        yield replace(road, database=url, engine=engine)
    finally:
        engine.dispose()
        administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def counts(road: Road) -> dict[str, int]:
    """Return how many rows each table and partition holds."""
    return {name: count(road.engine, name) for (name,) in road.rows(TABLES)}


@pytest.mark.slow
def test_a_backup_is_restored_and_goes_on(road: Road, postgres: str, plane: Population, tmp_path: Path) -> None:
    """Every row comes back, so do rights; detect reads again from there, and reaches what it had reached."""
    streams, dump = crowd(honest=3, thieves=2, queries=96), tmp_path / "gamekeeper.dump"
    records = interleaved(streams)
    half = len(records) // 2
    with detecting(road):
        road.write(records[:half])
        until(lambda: road.read() == half)
    tool("pg_dump", "--format=custom", f"--file={dump}", libpq(road.database))
    held, then = counts(road), stored(road)
    with road.process():
        road.write(records[half:])
        until(lambda: road.read() == len(records))
    assert then
    assert len(stored(road)) > len(then)
    with restored(postgres, dump, road) as other:
        assert counts(other) == held
        with other.engine.connect() as connection:
            connection.execute(text("SET LOCAL ROLE gamekeeper_analyst"))
            assert connection.execute(text("SELECT count(*) FROM client_latest")).scalar_one() == len(streams)
        with other.process():
            until(lambda: other.read() == len(records))
        assert_exact(other, streams, plane)
        assert other.rows(NAMES) == road.rows(NAMES)  # by which receivers know what they are sent again
