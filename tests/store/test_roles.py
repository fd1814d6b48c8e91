"""What each role must not do, tried; and that the processes' work can be done with the writer's rights."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, delete, func, select, table, text, update
from sqlalchemy.exc import ProgrammingError

from consumers.store import people, reads, roles
from consumers.store.engine import connect
from consumers.store.outbox import Delivered, claim_deliveries, settle
from consumers.store.people import Entry, Order, Said
from consumers.store.schema import metadata
from detector.decision import Action, Scope
from detector.standing import Standing
from tests.store.given import CHANNELS, count, saved, verdict

SAID = Said("ann", "a test")
DENIED = "permission denied|must be owner"
SHAPES = (  # statements that change what tables there are
    "CREATE TABLE mine (a int)",
    "CREATE VIEW mine AS SELECT 1",
    "ALTER TABLE decisions ADD COLUMN mine int",
    "DROP TABLE verdicts",
    "DROP VIEW client_latest",
    "TRUNCATE audit_log",
)


@pytest.fixture
def writer(database: str) -> Iterator[Engine]:
    """Return an engine whose sessions have the rights of the writer, and no others."""
    engine = connect(f"{database}{'&' if '?' in database else '?'}options=-crole%3D{roles.WRITER}")
    yield engine
    engine.dispose()


def as_role(engine: Engine, role: str, statement: str) -> None:
    """Run a statement with a role's rights, and take it back."""
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('role', :role, true)"), {"role": role})
        connection.execute(text(statement))
        connection.rollback()


def denied(engine: Engine, role: str, statement: str) -> None:
    """Expect that a role may not run a statement."""
    with pytest.raises(ProgrammingError, match=DENIED):
        as_role(engine, role, statement)


def test_no_role_changes_the_schema(engine: Engine) -> None:
    """Only the owner makes, changes and drops tables and views."""
    for role in roles.ROLES:
        for statement in SHAPES:
            denied(engine, role, statement)


def test_analysts_see_no_table(engine: Engine) -> None:
    """Not even to read: a table holds more than a view shows."""
    for name in metadata.tables:
        denied(engine, roles.ANALYST, str(select(func.count()).select_from(table(name))))


def test_writers_never_edit_what_was_judged_decided_and_done(engine: Engine) -> None:
    """Verdicts, evidence, decisions and the audit log grow; whoever took a process over cannot make them say less."""
    for name in roles.APPENDED:
        held = metadata.tables[name]
        column = list(held.columns)[-1]
        denied(engine, roles.WRITER, str(delete(held)))
        denied(engine, roles.WRITER, str(update(held).values({column: column})))


def test_nobody_fakes_the_schemas_version(engine: Engine) -> None:
    """The steps' own table is the owner's."""
    for role in roles.ROLES:
        denied(engine, role, str(delete(table("alembic_version"))))


def test_admins_may_erase(engine: Engine) -> None:
    """Erasing a person needs rows of every table to go."""
    for name in metadata.tables:
        as_role(engine, roles.ADMIN, str(delete(metadata.tables[name])))


def test_the_processes_work_as_writers(writer: Engine) -> None:
    """A checkpoint, what people do, what is sent, and what is read need no more than the writer's rights."""
    saved(writer, verdict(Standing.CONFIRMED))
    people.decide(writer, Order(Scope.CLIENT, "other", "*", Action.BLOCK, 60, "", "ann"), CHANNELS)
    people.allowlist_add(writer, Entry(Scope.CLIENT, "friend", "*"), SAID, CHANNELS)
    people.label(writer, "thief", "*", "false-positive", SAID)
    people.lift(writer, Scope.CLIENT, "thief", "*", SAID, CHANNELS)
    for delivery in claim_deliveries(writer, 1, 30.0, ("topic",)):
        settle(writer, delivery.id, Delivered())
    assert [line.client for line in reads.clients(writer)] == ["thief"]
    assert count(writer, "suppressions") == 1
