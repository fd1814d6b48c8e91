"""Decisions: those in force, and those that are over."""

from consumers.api.console.kinds import Asked, Page, Told
from consumers.api.console.listed import filtered
from consumers.api.house import House
from consumers.store import lists

_LISTS = {"force": lists.ACTIVE, "ended": lists.ENDED}


def _tell(house: House, asked: Asked) -> Told:
    which = "ended" if asked.get("which") == "ended" else "force"
    return {**filtered(house, _LISTS[which], asked, "value"), "which": which}


PAGE = Page("decisions", "Decisions", _tell)
