"""What became of a delivery, and when the next try is due."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

STANDARD_WAITS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before try 1, 2, …; the schedule of Standard Webhooks 1.0.0."""

KAFKA_WAITS = (0, 0.5, 1, 2, 4)
"""Our own brokers come back; the last wait repeats."""

JITTER = 0.2  # a wait is stretched by up to this share, so that deliveries of one outage do not return as one
LONGEST_WAIT = 86_400.0  # seconds; a Retry-After beyond a day is not believed


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `after` is what the other side asked for, in seconds."""

    why: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """Never: the other side, or our own settings, refuse for good."""

    why: str


Outcome: TypeAlias = Delivered | Retry | Gone


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of channel: how it sends one delivery, given its settings, how it waits between tries, what it needs."""

    send: Callable[[Any, Any], Outcome]
    waits: tuple[float, ...]
    forever: bool = False
    takes: Literal["alerts", "decisions"] = "alerts"
    needs: tuple[str, ...] = ()  # members of an endpoint that must be set
    schemes: tuple[str, ...] = ("https", "http")  # of its URL
    refill: Callable[[Any, Callable[[], None]], None] | None = None  # of what may forget: owes all anew where it did


def next_try(kind: Kind, attempts: int, after: float | None, dice: float) -> float | None:
    """Return the seconds until the next try, or None to give up.

    `attempts` counts the tries made, 1 or more; `after` is what the other side asked for; `dice` is 0..1.
    """
    if attempts >= len(kind.waits) and not kind.forever:
        return None
    wait = kind.waits[min(attempts, len(kind.waits) - 1)]
    return max(wait * (1 + JITTER * dice), min(after or 0.0, LONGEST_WAIT))
