"""One client: what is in force on it, what people may do, and its report."""

from consumers.api.console import report
from consumers.api.console.acts.about import DURATIONS, LABELS
from consumers.api.console.kinds import Asked, Page, Told, Wrong
from consumers.api.house import House
from consumers.store import lists, proposals
from consumers.store.lists import Window
from detector.decision import ANY_MODEL, Scope

LINES = 20  # decisions in force; one a model


def _tell(house: House, asked: Asked) -> Told:
    client = asked.get("client")
    if not client:
        raise Wrong("Say which client: the address ends in ?client=NAME.")
    equal = {"scope": Scope.CLIENT.value, "value": client}
    return {
        "client": client,
        "any_model": ANY_MODEL,
        "report": report.of_client(house.engine, client),
        "force": lists.read(house.engine, lists.ACTIVE, equal, Window(LINES)).lines,
        "waiting": proposals.waiting(house.engine, client=client),
        "about": {"durations": DURATIONS, "labels": LABELS},
        "typed": {},
    }


PAGE = Page("client", "Client", _tell)
