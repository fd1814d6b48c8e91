"""A population of the small model's ordinary clients, and a road with it in force."""

from typing import TYPE_CHECKING

import pytest

from benchmarks import traffic
from consumers.store import populations
from consumers.store.engine import connect
from detector.population import Population, dump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.consumers.road import Road

PARTITIONS = 2


@pytest.fixture(scope="session")
def plane() -> Population:
    """Return what the ordinary clients of the small model look like together."""
    return traffic.population()


@pytest.fixture
def cold_road(kafka: str, database: str, topics_prefix: str) -> "Iterator[Road]":
    """Return a road on which no population is in force."""
    from consumers import topics  # noqa: PLC0415  # kafka-python warns when imported, and conftest files come very early
    from tests.consumers.road import Road  # noqa: PLC0415

    topics.ensure(kafka, PARTITIONS, topics_prefix)
    engine = connect(database)
    yield Road(kafka, database, topics_prefix, engine)
    engine.dispose()


@pytest.fixture
def road(cold_road: "Road", plane: Population) -> "Road":
    """Return a road on which the small model's population is wanted."""
    [version] = populations.put(cold_road.engine, dump([plane]), "test")
    populations.use(cold_road.engine, traffic.MODEL, version, "test")
    return cold_road
