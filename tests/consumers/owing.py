"""What channels are owed, and endpoints that have everything that any kind of them needs."""

from datetime import UTC, datetime
from typing import Any

from consumers.alert import encode
from consumers.channels import CHANNELS
from consumers.channels.endpoint import Endpoint
from consumers.store.outbox import Delivery
from detector.records import encode_decision
from tests.templates import make

LATE = 4_000_000_000_000_000  # µs: in 2096
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # the example of the specification
TOKEN = "push-token-canary"  # noqa: S105  # made up


def delivery(channel: str, payload: bytes | None) -> Delivery:
    """Return a delivery owed to `channel`."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Delivery(7, channel, "alert", payload, b'["client_id","c","m"]', 1, now, "msg_2b7f")


def owed(name: str, **other: Any) -> Delivery:
    """Return what a channel of this kind is owed: an alert or a decision, with these facts."""
    if CHANNELS[name].takes == "alerts":
        return delivery(name, encode(make.alert(**other)))
    return delivery(name, encode_decision(make.decision(until=LATE, **other)))


def at(kind: str, url: str) -> Endpoint:
    """Return an endpoint with everything that any kind needs."""
    secret = TOKEN if kind in {"push", "crowdsec", "pagerduty"} else SECRET
    user = "" if kind == "email" else "machine"
    to = ("soc@example.org", "ops@example.org")
    return Endpoint(kind, "edge", url, secret, user=user, sender="gamekeeper@example.org", to=to, private=True)
