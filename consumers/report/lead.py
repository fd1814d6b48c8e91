"""The first sentence: who, with which model, since when, how sure, what was done, and how much of the model is gone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consumers.report.words import moment, odds
from consumers.store.reads import ClientLine, VerdictLine
from detector.signals import KINDS

STANDS = {  # how the sentence goes on after the standing, up to the model's name
    "clear": "with the model",
    "watched": "with the model",
    "suspected": "of stealing the model",
    "confirmed": "as stealing the model",
}
_DONE = {  # in force, over, in shadow
    "allow": ("it may ask freely", "it was free to ask", "it would be free to ask"),
    "perturb": ("its answers are made coarser", "its answers were made coarser", "its answers would be made coarser"),
    "throttle": (
        "it is slowed down, with coarser answers",
        "it was slowed down, with coarser answers",
        "it would be slowed down, with coarser answers",
    ),
    "block": ("it is blocked", "it was blocked", "it would be blocked"),
}
_FORCE, _OVER, _SHADOW = range(3)


@dataclass(frozen=True, slots=True)
class Lead:
    """The parts of the sentence, in order; the standing comes between the first and the second."""

    who: str
    since: str
    sure: str
    done: str
    gone: str


def lead(line: ClientLine, verdicts: Sequence[VerdictLine], decisions: Sequence[Any], now: datetime) -> Lead:
    """Return the sentence of a client with one model; verdicts (of the model) and decisions newest first."""
    latest = next(iter(verdicts), None)
    decided = next((one for one in decisions if one.model in {line.model, "*"}), None)
    return Lead(
        who=line.client if line.tenant is None else f"{line.client} of {line.tenant}",
        since="" if line.since is None else f" since {moment(line.since)}",
        sure=_sure(line, latest),
        done=_done(decided, now),
        gone=_gone(line.leakage),
    )


def _sure(line: ClientLine, latest: VerdictLine | None) -> str:
    """Return how rarely an ordinary client comes so far in any kind: at most as often as in one, times the kinds."""
    if line.standing == "clear" or latest is None:
        return f"score {line.score:.2f} of 1"
    values = [reading.value for reading in latest.evidence if reading.value is not None]
    nats = max(values, default=0.0) - math.log(len(KINDS))
    if nats <= 0:
        return f"score {line.score:.2f} of 1"
    often = odds(nats)
    most = often if often.startswith("less") else f"at most {often}"
    return f"a client like the ordinary ones gets so far {most} times (score {line.score:.2f} of 1)"


def _done(decided: Any, now: datetime) -> str:
    if decided is None:
        return "nothing was decided about it"
    how = _SHADOW if decided.shadow else _OVER if decided.until <= now else _FORCE
    by = (
        "the detector"
        if decided.origin == "detector"
        else "a person"
        if decided.origin == "person"
        else "the allowlist"
    )
    shadow = ", but that is in shadow: it is not enforced" if decided.shadow else ""
    return f"{_DONE[decided.action][how]} until {moment(decided.until)}, by decision of {by}{shadow}"


def _gone(leakage: float | None) -> str:
    if leakage is None:
        return "how much of the model it has learnt is not known"
    return f"it can imitate about {leakage:.0%} of the model's answers to ordinary questions"
