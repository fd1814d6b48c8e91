"""Block as the detector proposes."""

from consumers.api.console.acts.about import client_page, proposal, proposed
from consumers.api.console.kinds import Act, Order
from consumers.api.house import House
from consumers.store import proposals


def _do(house: House, order: Order) -> None:
    proposals.approve(house.engine, proposal(order.about), order.said, house.settings.channels)


ACT = Act(
    name="approve",
    title="Approve the block",
    role="respond",
    look=proposed,
    do=_do,
    done="Blocked as proposed. Gateways hear of it within about a second.",
    after=client_page,
)
