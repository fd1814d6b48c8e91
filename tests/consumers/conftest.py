"""A population of the small model's ordinary clients, and a road with it in force."""

from typing import TYPE_CHECKING

import pytest

from consumers.store import populations
from consumers.store.engine import connect
from detector import wire
from detector.learning import learn
from detector.population import Population, dump
from tests.consumers import traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.consumers.road import Road

KNOWN = 110  # ordinary clients: enough that the population is not cold
PARTITIONS = 2


@pytest.fixture(scope="session")
def plane() -> Population:
    """Return what the ordinary clients of the small model look like together."""
    records = [
        record
        for number in range(KNOWN)
        for record in traffic.records(f"known-{number}", traffic.ordinary(f"known-{number}", 56))
    ]
    raw = [wire.RawRecord(record, None, None, place) for place, record in enumerate(records)]
    return learn(wire.decode(raw, {traffic.MODEL: traffic.SHAPE}).queries, traffic.SHAPE)


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
