"""What people did: the audit log."""

from consumers.api.console.kinds import Asked, Page, Told
from consumers.api.console.listed import filtered
from consumers.api.house import House
from consumers.store import lists


def _tell(house: House, asked: Asked) -> Told:
    return filtered(house, lists.AUDIT, asked, "who", "what")


PAGE = Page("audit", "People's acts", _tell)
