"""Alerts to PagerDuty: one incident an episode, triggered and resolved by its id."""

import msgspec

from consumers.channels import http, said
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Outcome
from consumers.store.outbox import Delivery
from consumers.templates import TEMPLATES


def send(delivery: Delivery, endpoint: Endpoint) -> Outcome:
    """Send one event; the secret is the routing key, which belongs in the body."""
    alert = said.alert(delivery, endpoint)
    if alert is None:
        return Delivered()
    event = {"routing_key": endpoint.secret, **TEMPLATES["pagerduty"](alert)}
    return http.post(endpoint.url, msgspec.json.encode(event), {}, private=endpoint.private)
