"""At a glance: each model and whether it is protected, who does not stand clear, which blocks wait for a person."""

from collections import Counter
from typing import Any

from consumers.api.console.kinds import Asked, Page, Told
from consumers.api.house import House
from consumers.store import console, policies, proposals
from detector.policy import Policy

WAITING = 50  # proposals shown; the oldest first


def _tell(house: House, _asked: Asked) -> Told:
    version = policies.wanted(house.engine)
    policy = Policy() if version is None else policies.get(house.engine, version)
    suspects = console.suspects(house.engine)
    counted = Counter(line.standing for line in suspects)
    return {
        "models": [(line, _state(line, policy)) for line in console.models(house.engine)],
        "suspects": suspects,
        "most": console.SUSPECTS,
        "standing": ", ".join(f"{number} {standing}" for standing, number in counted.items()) or "nobody",
        "waiting": proposals.waiting(house.engine, limit=WAITING),
    }


def _state(model: Any, policy: Policy) -> tuple[str, str]:
    """Return whether the detector's decisions on a model are enforced: a word for the eye, and the sentence."""
    if model.breaker is not None:
        return "bad", f"breaker open since {model.breaker:%F %T}: nothing new is enforced by itself"
    if policy.in_shadow(model.model):
        return "soft", "shadow, as the policy says: nothing is enforced"
    if model.population is None:
        return "soft", "shadow: no population is learnt yet"
    if model.cold:
        return "soft", "shadow: the population has too few ordinary clients"
    return "good", "enforced, blocks after a person's word" if policy.approval.blocks else "enforced"


PAGE = Page("overview", "Overview", _tell)
