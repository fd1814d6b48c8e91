"""The demo's receiver of alerts: signatures are verified, repeats counted once."""

import json
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from gamekeeper.demo.webhook import Receiver, receiving


def _send(receiver: Receiver, secret: str, identity: str) -> int:
    moment = datetime.now(UTC)
    body = json.dumps({"type": "extraction.confirmed", "timestamp": moment.isoformat(), "data": {}})
    headers = {
        "webhook-id": identity,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(identity, moment, body),
    }
    return httpx.post(receiver.url, content=body, headers=headers).status_code


def test_alerts_are_counted_once() -> None:
    """A delivery that is tried again is one alert."""
    with receiving() as receiver:
        answers = [_send(receiver, receiver.secret, identity) for identity in ("a", "b", "a")]
    assert answers == [204, 204, 204]
    assert receiver.received == 2
    assert receiver.alerts == {"extraction.confirmed": 2}


def test_a_wrong_signature_is_refused() -> None:
    """What is signed with another secret, or not at all, counts as forged."""
    with receiving() as receiver:
        assert _send(receiver, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "a") == 401
        assert httpx.post(receiver.url, content=b"{}").status_code == 401
    assert receiver.received == 0
    assert receiver.forged == 2
