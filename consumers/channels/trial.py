"""Trying a channel out: what is sent says that it is a test, and enforces nothing."""

from datetime import UTC, datetime

from consumers import alert
from consumers.channels import CHANNELS
from consumers.channels.endpoint import Endpoint
from consumers.channels.outcome import Outcome
from consumers.store.facts import microseconds
from consumers.store.outbox import Delivery
from consumers.store.owed import message
from detector.decision import Action, Decision, Key, Origin, Scope
from detector.records import decision_key, encode_decision


def send(endpoint: Endpoint, now: datetime | None = None) -> Outcome:
    """Send a test through the real channel and return what became of it: an alert, or a decision that allows."""
    at = now or datetime.now(UTC)
    kind = CHANNELS[endpoint.kind]
    decision = _decision(at)
    delivery = Delivery(
        id=0,
        channel=endpoint.channel,
        kind="alert" if kind.takes == "alerts" else "decision",
        payload=alert.encode(alert.trial(at)) if kind.takes == "alerts" else encode_decision(decision),
        key=decision_key(decision),
        attempts=1,
        due=at,
        message=message(f"test:{at.isoformat()}"),
    )
    return kind.send(delivery, endpoint)


def _decision(at: datetime) -> Decision:
    """Return a decision on nobody: in shadow, it allows, and its time is over."""
    return Decision(
        id=0,
        serial=0,
        key=Key(Scope.CLIENT, alert.TEST, alert.TEST),
        action=Action.ALLOW,
        until=microseconds(at),
        origin=Origin.DETECTOR,
        reason="nothing happened: this is a test",
        shadow=True,
    )
