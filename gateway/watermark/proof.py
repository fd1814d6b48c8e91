"""What marks prove. Pure arithmetic: exact binomial tails, and how many marks would decide.

The null: the suspect was made without knowledge of the key. Each mark's label was drawn by the key alone, alike likely
among `1 / rate` classes, and independently of every other mark's. Whatever an innocent model answers, it answers it
without the label: so each mark matches with a chance of `rate` at most, independently, and the number of matches is at
most binomial. Nothing is assumed of the model, of its training data or of how it is wrong, and nothing is estimated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from scipy import stats

LEVEL: Final = 1e-9  # a p-value below it is a claim: the chance of a false one is no larger
MARKS_MAX: Final = 100_000  # beyond it nobody could collect them

Verdict = Literal["copy", "not shown", "too few marks"]


@dataclass(frozen=True, slots=True)
class Count:
    """Marks of one kind that were compared, and how many the suspect repeats."""

    kind: str
    marks: int
    matches: int
    rate: float  # the chance that an innocent model repeats one: the null

    @property
    def p(self) -> float:
        """The chance of so many matches or more from an innocent model."""
        return tail(self.matches, self.marks, self.rate)


def tail(matches: int, marks: int, rate: float) -> float:
    """Return P(X >= matches) of the binomial of `marks` trials with chance `rate` each."""
    return float(stats.binom.sf(matches - 1, marks, rate)) if marks else 1.0


def together(counts: Sequence[Count]) -> float:
    """Return the p-value of several kinds: the smallest times their number (Bonferroni), at most 1."""
    return min(1.0, max(1, len(counts)) * min((count.p for count in counts), default=1.0))


def verdict(counts: Sequence[Count]) -> Verdict:
    """Return what may be said; too few marks: even if all matched nothing could be claimed."""
    if together(counts) < LEVEL:
        return "copy"
    most = together([Count(one.kind, one.marks, one.marks, one.rate) for one in counts])
    return "not shown" if most < LEVEL else "too few marks"


def needed(share: float, rate: float, level: float = LEVEL) -> int | None:
    """Return how many marks would be below `level` if `share` of them match; None where no number of marks would."""
    low, high = 1, MARKS_MAX
    if share <= rate or tail(int(share * high), high, rate) >= level:
        return None
    while low < high:
        middle = (low + high) // 2
        if tail(int(share * middle), middle, rate) < level:
            high = middle
        else:
            low = middle + 1
    return low
