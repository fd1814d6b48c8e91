"""A gateway that takes decisions by HTTP as well: a head start. The topic is what holds."""

import time

from consumers.channels import http
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Outcome
from consumers.channels.webhook import signed
from consumers.store.outbox import Delivery

_SIGNING = "whsec_"  # how a secret that signs begins; any other is a token


def send(delivery: Delivery, endpoint: Endpoint) -> Outcome:
    """Send one decision; a tombstone concerns the topic only. A gateway is the operator's own, so it may be private."""
    if delivery.payload is None:
        return Delivered()
    return http.post(endpoint.url, delivery.payload, _proof(delivery, delivery.payload, endpoint), private=True)


def _proof(delivery: Delivery, body: bytes, endpoint: Endpoint) -> dict[str, str]:
    """Return the headers that show who sends: a signature, or the token that our own gateway asks for."""
    if endpoint.secret.startswith(_SIGNING):
        return signed(endpoint.secret, delivery.message, body, int(time.time()))
    return {"Authorization": f"Bearer {endpoint.secret}"}
