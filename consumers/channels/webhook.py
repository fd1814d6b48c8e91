"""Alerts to people's tools, signed per Standard Webhooks 1.0.0."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from standardwebhooks import Webhook as Signer

from consumers.channels import http
from consumers.channels.outcome import Delivered, Outcome
from consumers.store.outbox import Delivery


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint and the secret (`whsec_…`) that signs what it gets."""

    name: str
    url: str
    secret: str = field(repr=False)
    private: bool = False


def send(delivery: Delivery, webhook: Webhook) -> Outcome:
    """Send one alert. Its id stays the same over all tries, so that the receiver can tell a repeat."""
    if delivery.payload is None:
        return Delivered()
    headers = signed(webhook.secret, delivery.message, delivery.payload, int(time.time()))
    return http.post(webhook.url, delivery.payload, headers, private=webhook.private)


def signed(secret: str, message: str, body: bytes, now: int) -> dict[str, str]:
    """Return the three headers of Standard Webhooks; `now` is the second of this try. Raises ValueError: bad secret."""
    signature = Signer(secret).sign(message, datetime.fromtimestamp(now, UTC), body.decode())
    return {"webhook-id": message, "webhook-timestamp": str(now), "webhook-signature": signature}
