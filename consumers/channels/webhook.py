"""Alerts to people's tools, signed per Standard Webhooks 1.0.0."""

import time
from datetime import UTC, datetime

import msgspec
from standardwebhooks import Webhook as Signer

from consumers.channels import http, said
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Outcome
from consumers.store.outbox import Delivery
from consumers.templates import TEMPLATES


def send(delivery: Delivery, endpoint: Endpoint) -> Outcome:
    """Send one alert, signed with the secret (`whsec_…`).

    Its id stays the same over all tries, so that the receiver can tell a repeat.
    """
    alert = said.alert(delivery, endpoint)
    if alert is None:
        return Delivered()
    body = msgspec.json.encode(TEMPLATES["webhook"](alert))
    headers = signed(endpoint.secret, delivery.message, body, int(time.time()))
    return http.post(endpoint.url, body, headers, private=endpoint.private)


def signed(secret: str, message: str, body: bytes, now: int) -> dict[str, str]:
    """Return the three headers of Standard Webhooks; `now` is the second of this try. Raises ValueError: bad secret."""
    signature = Signer(secret).sign(message, datetime.fromtimestamp(now, UTC), body.decode())
    return {"webhook-id": message, "webhook-timestamp": str(now), "webhook-signature": signature}
