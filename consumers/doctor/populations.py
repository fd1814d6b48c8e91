"""Whether each model that is asked has a population, large and young enough."""

from collections.abc import Iterator

from consumers.doctor.finding import Finding, Patient, ok, warn
from consumers.store.vitals import Learnt, learnt

OLD_DAYS = 90  # after so long clients' habits and models have mostly changed


def look(patient: Patient) -> Iterator[Finding]:
    """Look at the population that is wanted for each model."""
    models = learnt(patient.engine)
    if not models:
        yield warn("populations", "no model was asked, and none is learnt", "gamekeeper learn, after a first week")
    for one in models:
        yield _finding(one)


def _finding(one: Learnt) -> Finding:
    if one.version is None or one.known is None or one.days is None:
        return warn(
            one.model, "no population: what is decided stays in shadow", "gamekeeper learn, then populations use"
        )
    told = f"{one.version}: {one.known:,} ordinary clients, {one.days:.0f} days old"
    if one.cold:
        return warn(one.model, f"{told}; too few, decisions stay in shadow", "learn again from more clients")
    if one.days > OLD_DAYS:
        return warn(one.model, told, "learn again from younger records")
    return ok(one.model, told)
