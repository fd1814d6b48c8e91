"""What tests stand on: a real Kafka and a real Postgres, started once a session when asked for, stopped for sure.

KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL are used instead where set; each test has its own topics and its own database.
"""

import itertools
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from gamekeeper import embedded, settings
from tests import proofs

RUN = f"test-{secrets.token_hex(4)}"  # this test session, in the names of topics and databases
NUMBERS = itertools.count(1)
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")  # a crash of the machine may cost a test's data


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python read its schemas as it does, every other warning is an error; tell what clients proved."""
    config.pluginmanager.register(proofs)
    config.addinivalue_line("filterwarnings", r"ignore:(read|open)_text is deprecated:DeprecationWarning")


def quiet(_what: str, _share: float) -> None:
    """Show no progress."""


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """Undo what a command did to the logs: it sends them to the stderr of its test, which closes with it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    """Return the folder of the embedded servers of this test session."""
    with tempfile.TemporaryDirectory(prefix="gamekeeper-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def kafka(data_folder: Path) -> Iterator[str]:
    """Return the bootstrap servers of a real Kafka. Topics are not created by themselves."""
    given = settings.load()
    if given.kafka_bootstrap_servers:
        yield given.kafka_bootstrap_servers
        delete_topics(given.kafka_bootstrap_servers)
        return
    server = embedded.start_kafka(data_folder / "kafka", settings.writable_cache(given, data_folder), quiet)
    try:
        yield server.url
    finally:
        server.stop()


def delete_topics(bootstrap: str) -> None:
    """Remove this session's topics from a Kafka that lives on."""
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415  # warns when imported, and is rarely needed

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(RUN)])
    finally:
        admin.close()


@pytest.fixture
def topics_prefix() -> str:
    """Return what this test puts before its topics' names (and its consumer groups)."""
    return f"{RUN}-{next(NUMBERS)}-"


@pytest.fixture(scope="session")
def postgres(data_folder: Path) -> Iterator[str]:
    """Return the URL of a real Postgres server (SQLAlchemy's form); its database holds nothing of ours."""
    given = settings.load()
    if given.database_url:
        yield given.database_url
        return
    server = embedded.start_postgres(data_folder / "postgres", quiet, FAST)
    try:
        yield server.url
    finally:
        server.stop()


def administer(postgres: str, statement: str) -> None:
    """Run one statement outside a transaction (CREATE DATABASE, DROP DATABASE)."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def database_url(postgres: str, name: str) -> str:
    """Return the URL of another database on the same server, password included."""
    return make_url(postgres).set(database=name).render_as_string(hide_password=False)


def database_name() -> str:
    """Return a name that no other test has."""
    return f"{RUN}-{next(NUMBERS)}".replace("-", "_")


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    """Return the URL of a new database without our schema."""
    name = database_name()
    administer(postgres, f"CREATE DATABASE {name}")
    yield database_url(postgres, name)
    administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_template(postgres: str) -> Iterator[str]:
    """Return the name of a database with our schema at its newest version, from which tests get copies."""
    from consumers.store import migrate  # noqa: PLC0415  # only for tests that need it

    name = f"{database_name()}_template"
    administer(postgres, f"CREATE DATABASE {name}")
    migrate.upgrade(database_url(postgres, name))
    yield name
    administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgres: str, migrated_template: str) -> Iterator[str]:
    """Return the URL of a new database with our schema, for this test alone."""
    name = database_name()
    administer(postgres, f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield database_url(postgres, name)
    administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")
