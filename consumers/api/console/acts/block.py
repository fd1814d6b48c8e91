"""Act against a client, tenant or address, until a time."""

from consumers.api import decisions
from consumers.api.console.acts.about import DURATIONS, checked, client_page, key, shown
from consumers.api.console.kinds import Act, Asked, Order, Told, Wrong
from consumers.api.house import House
from consumers.store import people
from detector.decision import Action

ACTIONS = tuple(action.word for action in (Action.BLOCK, Action.THROTTLE, Action.PERTURB))


def _look(_house: House, asked: Asked) -> Told:
    return {**shown(key(asked)), "durations": DURATIONS, "actions": ACTIONS}


def _do(house: House, order: Order) -> None:
    seconds = order.typed.get("seconds", "")
    if seconds not in DURATIONS or order.typed.get("action") not in ACTIONS:
        raise Wrong("Choose what to do, and for how long.")
    form = checked(
        decisions.Order,
        **shown(key(order.about)),
        action=order.typed["action"],
        seconds=int(seconds) if seconds else None,
        why=order.said.why,
    )
    people.decide(house.engine, form.by(order.said.who), house.settings.channels)


ACT = Act(
    name="block",
    title="Block",
    role="respond",
    look=_look,
    do=_do,
    done="Decided. Gateways hear of it within about a second.",
    after=client_page,
)
