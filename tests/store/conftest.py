"""A fresh, migrated database for each test of the store."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from consumers.store.engine import connect


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """Return an engine on a database of this test's own."""
    engine = connect(database, name="gamekeeper-test")
    yield engine
    engine.dispose()
