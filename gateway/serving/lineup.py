"""What is served at one moment, by name and version. Never changed: a reload puts another in its place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.serving.batching import Served
from gateway.serving.ensemble import Ensemble, Ensembled
from gateway.serving.model import BadModel, Model

ByVersion = Mapping[str, Model]  # the highest version last


@dataclass(eq=False, slots=True)
class Lineup:
    """Models by name and version, and every Keras model behind them. `users` are the requests that ask it just now."""

    models: Mapping[str, ByVersion] = field(default_factory=dict)
    members: frozenset[Served] = frozenset()
    users: int = 0

    def versions(self, name: str) -> ByVersion:
        """Return a model's versions; none where no such model is served."""
        return self.models.get(name, {})

    def find(self, name: str, version: str | None = None) -> Model | None:
        """Return a model in this version, or in its highest, if that is served."""
        versions = self.versions(name)
        return versions.get(version or max(versions, key=int, default=""))


def lineup(
    loaded: Iterable[Served], ensembles: Mapping[str, Ensemble], secret: bytes, former: Lineup
) -> tuple[Lineup, list[str]]:
    """Return what is served of these Keras models, and what is wrong with the ensembles.

    An ensemble that cannot be made goes on as it is in `former`; its members are not served in its place.
    """
    plain = _by_name(loaded)
    shown = {name for name in plain if _by_own_name(name, ensembles)}
    models: dict[str, ByVersion] = {name: plain[name] for name in shown}
    wrong = [f"ensemble {name}: a model has this name too; rename one of them" for name in shown & ensembles.keys()]
    for name, ensemble in ensembles.items():
        try:
            models[name] = {"1": _ensembled(name, ensemble, plain, secret)}
        except BadModel as error:
            wrong.append(str(error))
            models[name] = former.versions(name)
    return Lineup({name: versions for name, versions in models.items() if versions}, _members(models)), wrong


def _by_name(loaded: Iterable[Served]) -> dict[str, dict[str, Served]]:
    names: dict[str, dict[str, Served]] = {}
    for served in sorted(loaded, key=lambda served: int(served.version)):
        names.setdefault(served.name, {})[served.version] = served
    return names


def _by_own_name(name: str, ensembles: Mapping[str, Ensemble]) -> bool:
    """Tell whether clients may ask a model by its name: it is in no ensemble, or in one that says so."""
    within = [ensemble.by_name for ensemble in ensembles.values() if name in ensemble.members]
    return not within or any(within)


def _ensembled(name: str, ensemble: Ensemble, plain: Mapping[str, Mapping[str, Served]], secret: bytes) -> Ensembled:
    members = []
    for member in ensemble.members:
        if member not in plain:
            raise BadModel(f"ensemble {name}: there is no model {member!r}")
        members.append(list(plain[member].values())[-1])
    return Ensembled(name, ensemble, tuple(members), secret)


def _members(models: Mapping[str, ByVersion]) -> frozenset[Served]:
    found = [member for versions in models.values() for model in versions.values() for member in model.members]
    return frozenset(member for member in found if isinstance(member, Served))
