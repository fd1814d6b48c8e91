"""Standings: where a client stands with a model, and the one table of how that changes.

Everything that moves a standing is here: the detector, the tests and docs/standings.md read TRANSITIONS.
A pair that is not in the table changes nothing.
"""

from enum import StrEnum


class Standing(StrEnum):
    """Where a client stands, from ordinary to certain thief."""

    CLEAR = "clear"
    WATCHED = "watched"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"

    @property
    def rank(self) -> int:
        """0 for clear … 3 for confirmed."""
        return _ORDER.index(self)


_ORDER = list(Standing)


class Push(StrEnum):
    """What can move a standing."""

    WATCH = "evidence: one kind passes the watch level"
    SUSPECT = "evidence: one kind passes its bound"
    CONFIRM = "evidence: two kinds, or one strong mechanism"
    BUDGET = "its budget of leakage is used up"
    EXPIRY = "its time is over"
    LIFT = "a person lifts it"


class Cause(StrEnum):
    """Why a verdict was reached, in one word."""

    EVIDENCE = "evidence"
    BUDGET = "budget"
    EXPIRY = "expiry"
    LIFT = "lift"


# Standings rise by evidence and never fall by lack of it (running maxima: no flapping). They end by time or by a
# person; then a new episode begins with fresh e-processes at half the former error budget, so that the same
# evidence never counts twice. A used up budget of leakage is told of once, and never makes more than watched of it: an
# honest heavy user uses it up like the thief who asks ordinary questions.
TRANSITIONS: dict[Standing, dict[Push, Standing]] = {
    Standing.CLEAR: {
        Push.WATCH: Standing.WATCHED,
        Push.SUSPECT: Standing.SUSPECTED,
        Push.CONFIRM: Standing.CONFIRMED,
        Push.BUDGET: Standing.WATCHED,
    },
    Standing.WATCHED: {
        Push.SUSPECT: Standing.SUSPECTED,
        Push.CONFIRM: Standing.CONFIRMED,
        Push.BUDGET: Standing.WATCHED,
        Push.EXPIRY: Standing.CLEAR,
        Push.LIFT: Standing.CLEAR,
    },
    Standing.SUSPECTED: {
        Push.CONFIRM: Standing.CONFIRMED,
        Push.EXPIRY: Standing.CLEAR,
        Push.LIFT: Standing.CLEAR,
    },
    Standing.CONFIRMED: {
        Push.EXPIRY: Standing.CLEAR,
        Push.LIFT: Standing.CLEAR,
    },
}


def move(standing: Standing, push: Push) -> Standing:
    """Return where `push` takes a client that stands at `standing`."""
    return TRANSITIONS[standing].get(push, standing)


def diagram() -> str:
    """Return the table as a Mermaid state diagram, for docs/standings.md."""
    lines = ["stateDiagram-v2", "    [*] --> clear"]
    for source, pushes in TRANSITIONS.items():
        lines += [f"    {source} --> {target}: {push}" for push, target in pushes.items()]
    return "\n".join(lines)
