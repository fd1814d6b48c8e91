"""The parts of the reference gateway: models and guard, and how they are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.guard import Guard, guarding
from gateway.serving import Models, find
from gateway.settings import GatewaySettings

OPEN_PATHS = frozenset({"/healthz", "/metrics", "/v2/health/live", "/v2/health/ready", "/gamekeeper/decisions"})
QUERIES = (("/v1/models/", ":predict"), ("/v2/models/", "/infer"))
NAMES_MODEL = re.compile(r"/v[12]/models/([^/]+)")


@dataclass
class Parts:
    """Everything behind the HTTP door of one gateway."""

    settings: GatewaySettings
    models: Models
    guard: Guard

    def start(self) -> None:
        """Start the threads."""
        self.models.start()
        self.guard.start()

    def stop(self) -> None:
        """End the threads, each within a bounded time."""
        self.models.stop()
        self.guard.stop()

    @property
    def ready(self) -> bool:
        """Tell whether queries can be answered."""
        return self.models.ready and self.guard.access.loaded and self.guard.shut() is None

    def health(self) -> Mapping[str, object]:
        """Return what /healthz says."""
        faults = [] if self.models.ready else ["a model does not answer"]
        faults += self.guard.faults()
        return {
            "status": "degraded" if faults else "ok",
            "why": "; ".join(faults),
            "gateway": self.settings.name,
            "models": sorted(self.models.served),
            **self.guard.health(),
        }


def build(settings: GatewaySettings) -> Parts:
    """Make the parts and load the models. Raises BadModel, BadKey, BadStore, OSError: before anything is started."""
    models = Models(find(settings.models), settings.batch_rows, settings.batch_wait)
    guard = guarding(settings, lambda path: queried(path, models), OPEN_PATHS, told_of)
    models.load()
    return Parts(settings, models, guard)


def queried(path: str, models: Models) -> str | None:
    """Return which of our models a path queries, or None."""
    for start, end in QUERIES:
        name = path.removeprefix(start).removesuffix(end)
        if path == start + name + end and name in models.served:
            return name
    return None


def told_of(path: str) -> str | None:
    """Return which model a path that is no query names, served here or not, or None."""
    found = NAMES_MODEL.match(path)
    return None if found is None else found[1].removesuffix(":predict")
