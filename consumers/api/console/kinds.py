"""What the console is made of: pages, which show and change nothing, and acts, which people do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from consumers.api.house import House
from consumers.store.people import Said

Asked: TypeAlias = Mapping[str, str]
"""What the address asks for after its question mark. Who is meant stands there, never in the path: a name may hold
anything, and a browser changes line breaks in what a form sends, but not in its address."""
Told: TypeAlias = Mapping[str, Any]
"""What a template is told."""


class Wrong(ValueError):  # noqa: N818  # named for what it says to the person
    """What was asked or typed cannot be used; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Page:
    """Something to look at; its template is called like it. `tell` raises Wrong, Missing and BadCursor."""

    name: str
    title: str
    tell: Callable[[House, Asked], Told]


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants done: to whom or what, what they typed, and who they are, with why."""

    about: Asked
    typed: Asked
    said: Said


@dataclass(frozen=True, slots=True)
class Act:
    """Something that people with a role may do; the template of its form, in `acts/`, is called like it.

    `look` returns what the form is told, and `do` does it; both raise Wrong and what the store raises. Afterwards the
    person is shown the page `after`, which says `done`.
    """

    name: str
    title: str
    role: str
    look: Callable[[House, Asked], Told]
    do: Callable[[House, Order], None]
    done: str
    after: Callable[[Asked], tuple[str, Asked]]
