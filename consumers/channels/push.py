"""A gateway that takes decisions by HTTP as well: a head start. The topic is what holds."""

from dataclasses import dataclass, field

from consumers.channels import http
from consumers.channels.outcome import Delivered, Outcome
from consumers.store.outbox import Delivery


@dataclass(frozen=True, slots=True)
class Push:
    """A gateway's address for decisions. It is the operator's own, so it may be private."""

    name: str
    url: str
    token: str = field(repr=False)


def send(delivery: Delivery, push: Push) -> Outcome:
    """Send one decision; a tombstone concerns the topic only."""
    if delivery.payload is None:
        return Delivered()
    return http.post(push.url, delivery.payload, {"Authorization": f"Bearer {push.token}"}, private=True)
