"""Postgres over TLS: verify-full through DATABASE_URL alone. The embedded build has no TLS: that is in front of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from consumers.store.engine import connect, driver
from gamekeeper import settings
from tests.security.certificates import Authority, authority
from tests.security.front import tls_front

UNSET = {setting.name: "" for setting in settings.SETTINGS}


@pytest.fixture
def guarded_postgres(database: str, ca: Authority) -> Iterator[str]:
    """Return the URL of a database that is reached by TLS only, without the words for that."""
    url = make_url(database)
    with tls_front(ca.issue("postgres"), url.port or 0) as port:
        yield url.set(port=port).render_as_string(hide_password=False)


def test_verify_full(guarded_postgres: str, ca: Authority) -> None:
    """With the authority that signed the server's certificate we get in, and libpq says that it is encrypted."""
    engine = connect(f"{guarded_postgres}?sslmode=verify-full&sslrootcert={quote(str(ca.pair.cert))}")
    with engine.connect() as connection, driver(connection) as direct:
        assert direct.info.ssl_in_use
        assert connection.execute(text("SELECT count(*) FROM verdicts")).scalar_one() == 0
    engine.dispose()


def ping(engine: Engine) -> None:
    """Connect. Raises OperationalError."""
    with engine.connect():
        pass


def test_who_cannot_be_trusted_is_not_spoken_to(guarded_postgres: str, tmp_path: Path) -> None:
    """A server whose certificate another authority signed gets no password from us."""
    other = authority(tmp_path, "other").pair.cert
    engine = connect(f"{guarded_postgres}?sslmode=verify-full&sslrootcert={other}")
    with pytest.raises(OperationalError, match="certificate verify failed"):
        ping(engine)
    engine.dispose()


def test_another_name_is_not_trusted(guarded_postgres: str, ca: Authority) -> None:
    """verify-full: the certificate must be of the host that we call."""
    url = guarded_postgres.replace("127.0.0.1", "localhost")
    engine = connect(f"{url}?sslmode=verify-full&sslrootcert={ca.pair.cert}")
    with pytest.raises(OperationalError, match="does not match host name"):
        ping(engine)
    engine.dispose()


def test_a_server_without_tls_is_not_spoken_to(database: str, ca: Authority) -> None:
    """Whoever asks for TLS does not fall back to none."""
    engine = connect(f"{database}?sslmode=verify-full&sslrootcert={ca.pair.cert}")
    with pytest.raises(OperationalError, match="does not support SSL"):
        ping(engine)
    engine.dispose()


def test_a_wrong_authority_is_one_line(guarded_postgres: str, tmp_path: Path) -> None:
    """The command line says it in one line, without the password."""
    other = authority(tmp_path, "other").pair.cert
    url = f"{guarded_postgres}?sslmode=verify-full&sslrootcert={other}"
    result = subprocess.run(
        [sys.executable, "-m", "gamekeeper", "clients"],
        env=settings.environment(UNSET | {"DATABASE_URL": url}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "certificate verify failed" in result.stderr
    assert (make_url(guarded_postgres).password or "") not in result.stderr
