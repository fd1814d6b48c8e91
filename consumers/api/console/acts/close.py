"""Close a model's circuit breaker: the detector's decisions are enforced again."""

from dataclasses import asdict

from consumers.api.console.kinds import Act, Asked, Order, Told
from consumers.api.house import House
from consumers.store import breaker
from consumers.store.facts import Missing


def _look(house: House, asked: Asked) -> Told:
    model = asked.get("model", "")
    trip = next((one for one in breaker.show(house.engine, model) if one.closed is None), None)
    if trip is None:
        raise Missing(f"the breaker of model {model!r} is not open")
    return asdict(trip)


def _do(house: House, order: Order) -> None:
    breaker.close(house.engine, order.about.get("model", ""), order.said, house.settings.channels)


def _after(_asked: Asked) -> tuple[str, Asked]:
    return "overview", {}


ACT = Act(
    name="close",
    title="Close the breaker",
    role="admin",
    look=_look,
    do=_do,
    done="Closed. What the detector decides from now on is enforced; blocks that waited still wait for a person.",
    after=_after,
)
