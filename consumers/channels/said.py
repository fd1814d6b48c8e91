"""What a delivery of an alert says, as its endpoint is to hear it."""

from consumers.alert import Alert, decode, linked
from consumers.channels.endpoint import Endpoint
from consumers.store.outbox import Delivery


def alert(delivery: Delivery, endpoint: Endpoint) -> Alert | None:
    """Return the alert with its links, or None for a tombstone, which concerns topics only."""
    return None if delivery.payload is None else linked(decode(delivery.payload), endpoint.base)
