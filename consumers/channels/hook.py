"""Alerts by HTTP to tools that want no more than a body in their own form, and perhaps a token."""

from collections.abc import Callable
from typing import Any

import msgspec

from consumers.alert import Alert
from consumers.channels import http, said
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Delivered, Outcome
from consumers.store.outbox import Delivery


def sender(template: Callable[[Alert], Any]) -> Callable[[Delivery, Endpoint], Outcome]:
    """Return how alerts are sent that look as `template` makes them; the secret, if any, is a bearer token."""

    def send(delivery: Delivery, endpoint: Endpoint) -> Outcome:
        alert = said.alert(delivery, endpoint)
        if alert is None:
            return Delivered()
        headers = {"Authorization": f"Bearer {endpoint.secret}"} if endpoint.secret else {}
        return http.post(endpoint.url, msgspec.json.encode(template(alert)), headers, private=endpoint.private)

    return send
