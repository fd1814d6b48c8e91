"""A part of a list, as pages show it."""

from collections.abc import Mapping
from typing import Any

from consumers.api.console.kinds import Asked, Told
from consumers.api.console.shown import picked
from consumers.api.house import House
from consumers.store import lists
from consumers.store.lists import Listing, Window

LINES = 50  # of a page


def part(house: House, listing: Listing, asked: Asked, equal: Mapping[str, Any]) -> Told:
    """Return the lines of a part, and `more`: what to ask for the next one; None where there is none.

    Raises BadCursor.
    """
    found = lists.read(house.engine, listing, equal, Window(LINES, asked.get("cursor") or None))
    kept = {name: value for name, value in asked.items() if name not in {"cursor", "done"}}
    return {"lines": found.lines, "more": found.next and {**kept, "cursor": found.next}}


def filtered(house: House, listing: Listing, asked: Asked, *names: str) -> Told:
    """Return the part of those lines whose columns are as asked for: `names` may be."""
    return {**part(house, listing, asked, picked(asked, *names)), "filter": {one: asked.get(one, "") for one in names}}
