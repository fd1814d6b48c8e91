"""Decisions as CrowdSec's bouncers want them, pure: scopes, types, durations, and what is new or deleted of a value.

Bouncers know no models. They are told the strictest decision on a value, with whatever model; a value that is on the
allowlist with any model is never told, nor is a client whose tenant is.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from consumers.store.pulls import Line, Value
from detector.decision import Action, Origin, Scope

SCOPES = {Scope.IP: "Ip", Scope.CLIENT: "client_id", Scope.TENANT: "tenant"}
FOLDED = ("ip", "range", "country", "as")  # scopes that CrowdSec knows itself, in whatever case
TYPES = {Action.BLOCK: "ban", Action.THROTTLE: "throttle", Action.PERTURB: "perturb"}
SCENARIOS = {Origin.DETECTOR: "gamekeeper/model-extraction", Origin.PERSON: "gamekeeper/person"}
LONGEST_SECONDS = 87_600 * 3_600  # ten years: Go's durations end at 292, and some decisions have no end
NO_TIME = "0s"  # of what is deleted: a sign would not be read everywhere


class Remedy(msgspec.Struct, frozen=True):
    """A decision in CrowdSec's words; every member is needed by some client, in both lists."""

    id: int
    origin: str
    type: str
    scope: str
    value: str
    duration: str
    scenario: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions a bouncer asks for."""

    scopes: tuple[Scope, ...] = tuple(SCOPES)
    origins: frozenset[Origin] = frozenset(SCENARIOS)
    actions: frozenset[Action] = frozenset(TYPES)

    def fits(self, line: Line) -> bool:
        """Tell whether a decision is one of them."""
        return line.origin in self.origins and line.action in self.actions


def scopes(asked: str) -> tuple[Scope, ...]:
    """Return the scopes of a list with commas; what we do not have names nothing."""
    named = {name.lower() if name.lower() in FOLDED else name for name in map(str.strip, asked.split(","))}
    return tuple(scope for scope in SCOPES if scope.value in named)


def origins(asked: str | None, containing: str | None, not_containing: str | None) -> frozenset[Origin]:
    """Return the origins that fit a list of origins, and parts of scenarios to have and not to have."""
    named = _listed(asked)
    some, none = _listed(containing), _listed(not_containing)
    return frozenset(
        origin
        for origin, scenario in SCENARIOS.items()
        if (not named or origin.value in named)
        and (not some or any(part in scenario for part in some))
        and not any(part in scenario for part in none)
    )


def actions(asked: str | None) -> frozenset[Action]:
    """Return the actions that a `type` names; None: all."""
    return frozenset(action for action, word in TYPES.items() if asked in {None, word})


def showable(value: Value) -> bool:
    """Tell whether clients can hold a value. One with control characters they cannot.

    Many take whatever reads as an address for one, so of other scopes such a value is not told, and of Ip nothing else.
    """
    if value.scope is Scope.IP:
        return _reads(ipaddress.ip_address, value.value)
    return value.value.isprintable() and not _reads(ipaddress.ip_network, value.value)


def changes(value: Value, wanted: Wanted, now: datetime) -> tuple[Remedy | None, list[Remedy]]:
    """Return what is new of a value, and what is deleted.

    Many clients delete by value alone, so nothing is deleted while anything holds; but where a milder decision follows,
    those that know values by type, or no type but ban, must hear that the stricter one is over. All that know a milder
    type apply `deleted` first, or delete by type.
    """
    told = [line for line in value.before if wanted.fits(line)]
    line = _strictest(value, wanted)
    if line is None:
        return None, [_remedy(value, one, NO_TIME) for one in told]
    over = [_remedy(value, one, NO_TIME) for one in told if one.action > line.action]
    return _remedy(value, line, duration(line.until, now)), over


def duration(until: datetime, now: datetime) -> str:
    """Return the time left as Go writes it, in whole seconds and at least one."""
    left = min(max(round((until - now).total_seconds()), 1), LONGEST_SECONDS)
    hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _strictest(value: Value, wanted: Wanted) -> Line | None:
    if value.exempt or any(line.origin is Origin.ALLOWLIST for line in value.holding):
        return None
    fitting = [line for line in value.holding if wanted.fits(line)]
    return max(fitting, key=lambda line: (line.action, line.until, line.id), default=None)


def _remedy(value: Value, line: Line, left: str) -> Remedy:
    return Remedy(
        id=line.id,
        origin=line.origin.value,
        type=TYPES[line.action],
        scope=SCOPES[value.scope],
        value=value.value,
        duration=left,
        scenario=SCENARIOS[line.origin],
    )


def _listed(asked: str | None) -> Sequence[str]:
    return [part for part in map(str.strip, (asked or "").split(",")) if part]


def _reads(form: Callable[[str], object], text: str) -> bool:
    try:
        form(text)
    except ValueError:
        return False
    return True
