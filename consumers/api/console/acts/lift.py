"""End what is in force."""

from consumers.api.console.acts.about import client_page, key, shown
from consumers.api.console.kinds import Act, Asked, Order, Told
from consumers.api.house import House
from consumers.store import people


def _look(_house: House, asked: Asked) -> Told:
    return shown(key(asked))


def _do(house: House, order: Order) -> None:
    about = key(order.about)
    people.lift(house.engine, about.scope, about.value, about.model, order.said, house.settings.channels)


ACT = Act(
    name="lift",
    title="Lift",
    role="respond",
    look=_look,
    do=_do,
    done="Lifted. Gateways hear of it within about a second; the standing is clear from the client's next query on.",
    after=client_page,
)
