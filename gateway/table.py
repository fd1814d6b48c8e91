"""The table of decisions in force: what a gateway knows of whom. Pure; a query costs three look-ups.

Decisions may come twice, late and in any order (the topic is read again after a lost connection, a push
overtakes it): an older serial never overwrites a newer one.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from detector.decision import ANY_MODEL, Decision, Key, Scope, in_force

GRACE = 3_600 * 1_000_000  # µs that an expired decision is remembered, so that a late older one does not return


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: an authenticated client, its tenant, where it asks from, and by which API key (its prefix)."""

    client: str
    tenant: str | None = None
    ip: str | None = None
    key: str | None = None


class DecisionTable:
    """Decisions by what they are about. Look-ups need no lock; changes take one."""

    def __init__(self) -> None:
        self._clients: dict[str, dict[str, Decision]] = {}
        self._tenants: dict[str, dict[str, Decision]] = {}
        self._ips: dict[str, dict[str, Decision]] = {}
        self._scopes = {Scope.CLIENT: self._clients, Scope.TENANT: self._tenants, Scope.IP: self._ips}
        self._longest: dict[Key, int] = {}  # the latest `until` ever seen for a key
        self._lock = threading.Lock()
        self.newest: Decision | None = None  # the highest id applied, for `gateway_status`

    def __len__(self) -> int:
        return len(self._longest)

    def __iter__(self) -> Iterator[Decision]:
        """Yield every decision held, as of now."""
        with self._lock:
            by_value = [models for values in self._scopes.values() for models in values.values()]
            return iter([decision for models in by_value for decision in models.values()])

    def apply(self, decision: Decision) -> bool:
        """Take a decision in, unless its key holds it already or a newer one; tell whether it was taken."""
        key = decision.key
        with self._lock:
            models = self._scopes[key.scope].setdefault(key.value, {})
            held = models.get(key.model)
            if held is not None and held.serial >= decision.serial:
                return False
            models[key.model] = decision
            self._longest[key] = max(self._longest.get(key, 0), decision.until)
            if self.newest is None or decision.id > self.newest.id:
                self.newest = decision
            return True

    def forget(self, key: Key, now: int) -> bool:
        """Drop a key, as its tombstone asks. One still in force at `now` (µs) is newer than the tombstone and stays."""
        with self._lock:
            held = self._scopes[key.scope].get(key.value, {}).get(key.model)
            if held is None or now < held.until:
                return False
            self._drop(key)
            return True

    def find(self, asker: Asker, model: str | None, now: int) -> Decision | None:
        """Return the decision in force for a query of `model` (None: which one is not known) at `now` (µs), or None.

        Where the model is not known every decision on the asker counts, with whatever model.
        """
        client = self._clients.get(asker.client)
        tenant = self._tenants.get(asker.tenant) if asker.tenant is not None else None
        ip = self._ips.get(asker.ip) if asker.ip is not None else None
        if client is None and tenant is None and ip is None:
            return None
        matching: list[Decision] = []
        for models in (client, tenant, ip):
            if models:
                matching += _about(models, model)
        return in_force(matching, now)

    def prune(self, now: int) -> int:
        """Drop what nothing seen of its key could still enforce at `now` (µs); return how many."""
        with self._lock:
            gone = [key for key, until in self._longest.items() if until + GRACE < now]
            for key in gone:
                self._drop(key)
            return len(gone)

    def _drop(self, key: Key) -> None:
        models = self._scopes[key.scope][key.value]
        del models[key.model]
        del self._longest[key]
        if not models:
            del self._scopes[key.scope][key.value]


def _about(models: dict[str, Decision], model: str | None) -> list[Decision]:
    if model is None:
        return list(models.values())
    return [decision for decision in (models.get(model), models.get(ANY_MODEL)) if decision is not None]
