"""Populations as `detect` uses them: each version read once, and which one a person wants in force."""

import time

import structlog
from sqlalchemy import Engine

from consumers.store import populations
from detector.population import BadPopulation, Population, load

LOOK_SECONDS = 1.0  # between looks at what is wanted
VERSIONS_MAX = 16  # held in memory; partitions may be at different ones for a moment

log = structlog.get_logger()


class Library:
    """Versions that were read. Not thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[str, Population] = {}
        self._wanted: dict[str, str] = {}
        self._looked = -LOOK_SECONDS

    def population(self, version: str) -> Population:
        """Return one version. Raises SQLAlchemyError, LookupError, or BadPopulation."""
        if version not in self._held:
            [population] = load(populations.get(self._engine, version)).values()
            while len(self._held) >= VERSIONS_MAX:
                del self._held[next(iter(self._held))]
            self._held[version] = population
        return self._held[version]

    def wanted(self) -> dict[str, str]:
        """Return the version that each model should have, at most LOOK_SECONDS old. Raises SQLAlchemyError."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            wanted = populations.wanted(self._engine)
            self._wanted = {model: version for model, version in wanted.items() if self._usable(version)}
            self._looked = now
        return self._wanted

    def _usable(self, version: str) -> bool:
        try:
            self.population(version)
        except (BadPopulation, LookupError) as error:
            log.warning("this population cannot be used; the one in force stays", version=version, why=str(error))
            return False
        return True
