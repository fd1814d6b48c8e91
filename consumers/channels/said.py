"""What a delivery of an alert says, as its endpoint is to hear it."""

from uuid import UUID

from consumers import links
from consumers.alert import Alert, decode, linked
from consumers.channels.endpoint import Endpoint
from consumers.store.outbox import Delivery

PEOPLE = ("webhook", "slack", "teams", "pagerduty", "email")  # read by people; what goes to archives gets no such link


def alert(delivery: Delivery, endpoint: Endpoint) -> Alert | None:
    """Return the alert with its links, or None for a tombstone, which concerns topics only."""
    if delivery.payload is None:
        return None

    def sign(proposal: str) -> str:
        if not endpoint.link_secret or endpoint.kind not in PEOPLE:
            return ""
        return links.sign(endpoint.link_secret, links.Link(UUID(proposal), endpoint.channel))

    return linked(decode(delivery.payload), endpoint.base, sign)
