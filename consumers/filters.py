"""Which alerts a channel wants: words that must fit, and words that must not."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

Severities = tuple[Literal["info", "warning", "critical"], ...]
Standings = tuple[Literal["watched", "suspected", "confirmed"], ...]
Patterns = tuple[str, ...]  # names, or patterns with *, ? and [abc]


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Terms of a filter; an empty one says nothing. No tenant is the empty name."""

    severity: Severities = ()
    standing: Standings = ()
    model: Patterns = ()
    tenant: Patterns = ()

    def fitting(self, facts: Mapping[str, str]) -> list[bool]:
        """Tell of each term that says something whether it fits."""
        said = msgspec.structs.asdict(self)
        return [any(fnmatchcase(facts[name], one) for one in patterns) for name, patterns in said.items() if patterns]


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What gets through: all terms of `only` fit, and none of `never` does."""

    only: Terms = Terms()
    never: Terms = Terms()

    def passes(self, facts: Mapping[str, str]) -> bool:
        """Tell whether an alert with these facts is wanted."""
        return all(self.only.fitting(facts)) and not any(self.never.fitting(facts))
