"""Populations and policies as `detect` uses them: each version read once, and which one a person wants in force."""

import time

import structlog
from sqlalchemy import Engine

from consumers.store import policies, populations
from detector.policy import BadPolicy, Policy
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
        self._policy: Policy | None = None
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
        self._look()
        return self._wanted

    def policy(self, version: str) -> Policy | None:
        """Return one version of the policy; None: it cannot be used. Raises SQLAlchemyError."""
        try:
            found = policies.get(self._engine, version)
        except (BadPolicy, LookupError) as error:
            log.warning("this policy cannot be used; the one in force stays", version=version, why=str(error))
            return None
        if found.version != version:  # written before there were all of today's members: what verdicts name is kept too
            policies.put(self._engine, found)
        return found

    def wanted_policy(self) -> Policy | None:
        """Return the policy that should be in force, at most LOOK_SECONDS old. Raises SQLAlchemyError."""
        self._look()
        return self._policy

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        wanted = populations.wanted(self._engine)
        self._wanted = {model: version for model, version in wanted.items() if self._usable(version)}
        version = policies.wanted(self._engine)
        if version is not None and (self._policy is None or version != self._policy.version):
            self._policy = self.policy(version) or self._policy
        self._looked = now

    def _usable(self, version: str) -> bool:
        try:
            self.population(version)
        except (BadPopulation, LookupError) as error:
            log.warning("this population cannot be used; the one in force stays", version=version, why=str(error))
            return False
        return True
