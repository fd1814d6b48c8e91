"""Say no to a block that the detector proposes."""

from consumers.api.console.acts.about import client_page, proposal, proposed
from consumers.api.console.kinds import Act, Order
from consumers.api.house import House
from consumers.store import proposals


def _do(house: House, order: Order) -> None:
    proposals.decline(house.engine, proposal(order.about), order.said)


ACT = Act(
    name="decline",
    title="Decline the block",
    role="respond",
    look=proposed,
    do=_do,
    done="Declined. Nobody is blocked; what holds meanwhile ends by itself.",
    after=client_page,
)
