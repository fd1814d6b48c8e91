"""Episodes: from leaving clear until returning to it."""

from consumers.api.console.kinds import Asked, Page, Told
from consumers.api.console.listed import filtered
from consumers.api.house import House
from consumers.store import lists
from detector.standing import Standing


def _tell(house: House, asked: Asked) -> Told:
    return {**filtered(house, lists.EPISODES, asked, "client", "model", "standing"), "standings": [*Standing]}


PAGE = Page("episodes", "Episodes", _tell)
