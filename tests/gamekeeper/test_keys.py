"""The commands of keys and roles, on a real database."""

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from consumers.store import key_roles, keys
from consumers.store.engine import connect
from consumers.store.schema import audit_log
from detector.records import Role, hashed
from gamekeeper.cli import app

PEPPER = "a pepper for this test, long enough"


@pytest.fixture(autouse=True)
def installation(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a database and a pepper."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("GAMEKEEPER_KEY_PEPPER", PEPPER)


def run(*arguments: str, code: int = 0) -> str:
    """Run `gamekeeper keys …` in this process."""
    result = CliRunner().invoke(app, ["keys", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_key_from_first_to_last(database: str) -> None:
    """Made with roles, rotated, revoked: what is shown once is what the hash under the pepper is of."""
    old = run("add", "alice", "--tenant", "acme", "--role", "trial", "--role", "gold", "--for", "90d").strip()
    new = run("rotate", old[:8], "--overlap", "1h", "--why", "yearly").strip()
    run("revoke", new[:8])
    engine = connect(database)
    lines = {line.hash: line for line in keys.list_keys(engine)}
    assert set(lines) == {hashed(old, PEPPER.encode()), hashed(new, PEPPER.encode())}
    assert {line.roles for line in lines.values()} == {("trial", "gold")}
    assert [line.revoked is not None for line in lines.values()] == [False, True]
    with engine.connect() as connection:
        done = connection.execute(select(audit_log.c.what, audit_log.c.why).order_by(audit_log.c.id)).all()
    assert ("key-rotate", "yearly") in done
    engine.dispose()
    assert old[:8] in run("list")
    assert run("add", "bob").startswith("gk_")


def test_a_role_from_first_to_last(database: str) -> None:
    """Made, listed, removed; an operation that there is not is wrong usage."""
    run("role", "trial", "--model", "digits-*", "--operation", "predict", "--day", "100")
    engine = connect(database)
    assert key_roles.list_roles(engine) == [Role(role="trial", models=("digits-*",), operations=("predict",), day=100)]
    run("role", "trial")
    assert key_roles.list_roles(engine) == [Role(role="trial")]
    assert "trial" in run("roles")
    run("role", "trial", "--operation", "delete", code=2)
    run("role", "trial", "--remove")
    assert key_roles.list_roles(engine) == []
    engine.dispose()


def test_a_key_of_the_rest_api(database: str) -> None:
    """It has one role of three and may end; it is not published to gateways."""
    secret = run("add", "ann", "--api", "respond", "--for", "90d").strip()
    run("add", "ann", "--api", "god", code=2)
    engine = connect(database)
    line = keys.known(engine, secret, keys.API, PEPPER.encode())
    assert line is not None
    assert (line.client, line.roles, line.expires is not None) == ("ann", ("respond",), True)
    assert keys.known(engine, secret, keys.BOUNCER, PEPPER.encode()) is None
    engine.dispose()
