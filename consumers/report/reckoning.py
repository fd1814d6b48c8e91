"""How a verdict's score came about, as far as what is stored tells."""

from dataclasses import dataclass

from consumers.store.reads import VerdictLine
from detector.evidence import Thresholds, thresholds
from detector.policy import Policy
from detector.signals import KINDS

ROUNDED = 0.0001  # what rounding may take from a stored score


@dataclass(frozen=True, slots=True)
class Reckoning:
    """The two halves of a score, as in `detector.judge.Judge.score`, and the bounds that they were held against."""

    bounds: Thresholds | None  # nats; None: the policy that it was reached under is not known
    suspicion: float | None  # 0..0.5: the strongest kind on its way to suspicion; None: not known
    block: float | None  # 0..0.5: a pair of kinds, or one strong mechanism, on its way to a block; None: not known


def reckon(verdict: VerdictLine, policy: Policy | None) -> Reckoning:
    """Return how a verdict's score came about under the policy that it was reached under; None: it is not known."""
    if policy is None:
        return Reckoning(None, None, None)
    bounds = thresholds(policy.alpha, verdict.episode, len(KINDS))
    values = [reading.value for reading in verdict.evidence if reading.value is not None]
    if not values:
        return Reckoning(bounds, None, None)
    if verdict.score >= 1.0:  # a block's bound is passed: the score is 1, whatever the strongest kind says
        return Reckoning(bounds, 0.5, 0.5)
    suspicion = 0.5 * min(max(values) / bounds.one, 1.0)
    if suspicion > verdict.score + ROUNDED:  # the score is not of these readings: a person or time moved the standing
        return Reckoning(bounds, None, None)
    return Reckoning(bounds, suspicion, max(verdict.score - suspicion, 0.0))
