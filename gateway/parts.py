"""The parts of the reference gateway: models and guard, and how they are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.guard import Guard, guarding
from gateway.serving import Models
from gateway.settings import GatewaySettings

OPEN_PATHS = frozenset({"/healthz", "/metrics", "/v2/health/live", "/v2/health/ready", "/gamekeeper/decisions"})
DOCS = frozenset({"/docs", "/openapi.json"})
NAMES_MODEL = re.compile(r"/v[12]/models/([^/]+)")
QUERY = re.compile(
    r"/v1/models/(?P<v1>[^/]+?)(/versions/[^/]+)?:predict|/v2/models/(?P<v2>[^/]+)(/versions/[^/]+)?/infer"
)


@dataclass
class Parts:
    """Everything behind the HTTP door of one gateway."""

    settings: GatewaySettings
    models: Models
    guard: Guard
    draining: bool = False  # about to end: what is asked is still answered

    def start(self) -> None:
        """Start the threads."""
        self.models.start(self.settings.reload_seconds)
        self.guard.start()

    def drain(self) -> None:
        """Say that we are about to end: not ready for more."""
        self.draining = True

    def stop(self) -> None:
        """End the threads, each within a bounded time."""
        self.models.stop()
        self.guard.stop()

    @property
    def ready(self) -> bool:
        """Tell whether queries can be answered."""
        return not self.draining and self.models.ready and self.guard.access.loaded and self.guard.shut() is None

    def health(self) -> Mapping[str, object]:
        """Return what /healthz says."""
        faults = [] if self.models.ready else ["a model does not answer"]
        if self.models.wrong:  # anyone may ask: the log says which files, and why
            faults.append(f"models: {len(self.models.wrong)} not served, see the log")
        faults += self.guard.faults()
        return {
            "status": "degraded" if faults else "ok",
            "why": "; ".join(faults),
            "gateway": self.settings.name,
            "models": sorted(self.models.served),
            **self.guard.health(),
        }


def build(settings: GatewaySettings) -> Parts:
    """Make the parts and load the models. Raises BadModel, BadPolicy, BadKey, BadStore, OSError: nothing is started."""
    policy = settings.policy
    models = Models(settings.models, settings.batch_rows, settings.batch_wait, policy.ensembles, settings.secret)
    open_paths = OPEN_PATHS | DOCS if settings.docs_open else OPEN_PATHS
    guard = guarding(settings, lambda path: queried(path, models), open_paths, told_of)
    metrics = guard.metrics
    metrics.gauge("models", "Models served, by name", lambda: len(models.served))
    metrics.gauge("models_wrong", "Versions and ensembles that could not be loaded", lambda: len(models.wrong))
    models.load()
    return Parts(settings, models, guard)


def queried(path: str, models: Models) -> str | None:
    """Return which of our models a path queries, or None."""
    match = QUERY.fullmatch(path)
    name = match and (match["v1"] or match["v2"])
    return name if name and models.knows(name) else None


def told_of(path: str) -> str | None:
    """Return which model a path that is no query names, served here or not, or None."""
    found = NAMES_MODEL.match(path)
    return None if found is None else found[1].removesuffix(":predict")
