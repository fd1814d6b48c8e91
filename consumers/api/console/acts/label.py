"""Say what a client turned out to be."""

from consumers.api.console.acts.about import LABELS, client_page, key, shown
from consumers.api.console.kinds import Act, Asked, Order, Told, Wrong
from consumers.api.house import House
from consumers.store import people


def _look(_house: House, asked: Asked) -> Told:
    return {**shown(key(asked)), "labels": LABELS}


def _do(house: House, order: Order) -> None:
    what = order.typed.get("what", "")
    if what not in LABELS:
        raise Wrong("Choose what the client turned out to be.")
    people.conclude(house.engine, key(order.about), what, order.said, house.settings.channels)


ACT = Act(
    name="label",
    title="Label",
    role="respond",
    look=_look,
    do=_do,
    done="Noted. The detector hears of it with the client's next query.",
    after=client_page,
)
