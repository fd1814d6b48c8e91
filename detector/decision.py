"""Decisions: an action for a client until a time, and which of them is in force for a query.

Light on purpose (standard library only): the gateway imports this on its request path.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

ANY_MODEL = "*"


class Action(IntEnum):
    """The ladder: each step includes those below it. The number is the wire value of batch records."""

    ALLOW = 0
    PERTURB = 1
    THROTTLE = 2
    BLOCK = 3

    @property
    def word(self) -> str:
        """The name used on the wire, in SQL and in the command line."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> "Action":
        """Return the action called `word`. Raises ValueError for any other word."""
        for action in cls:
            if action.word == word:
                return action
        raise ValueError(f"action: {word!r} is not one of {', '.join(action.word for action in cls)}")


class Scope(StrEnum):
    """What a decision's value names."""

    CLIENT = "client_id"
    TENANT = "tenant"
    IP = "ip"


class Origin(StrEnum):
    """Who took a decision."""

    DETECTOR = "detector"
    PERSON = "person"
    ALLOWLIST = "allowlist"


@dataclass(frozen=True, slots=True)
class Key:
    """What a decision is about; serials grow by one for each key."""

    scope: Scope
    value: str
    model: str  # a model's name or ANY_MODEL


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the topic `decisions`. Times are µs since 1970 UTC."""

    id: int
    serial: int
    key: Key
    action: Action
    until: int
    origin: Origin
    reason: str
    verdict: str | None = None
    shadow: bool = False

    def enforced(self, now: int) -> bool:
        """Tell whether the decision binds a gateway at `now` (µs). A person's never is in shadow."""
        return now < self.until and (not self.shadow or self.origin is Origin.PERSON)


def in_force(decisions: Iterable[Decision], now: int) -> Decision | None:
    """Return the decision that binds a query among those that match it, or None.

    The allowlist comes first; else the strictest action that is not shadow and not past `until`.
    """
    binding = [decision for decision in decisions if decision.enforced(now)]
    if len(binding) < 2:  # noqa: PLR2004  # as nearly always: every request asks
        return binding[0] if binding else None
    for decision in binding:
        if decision.origin is Origin.ALLOWLIST:
            return decision
    return max(binding, key=lambda decision: (decision.action, decision.until), default=None)
