"""The compacted topic of clients' hashed API keys: how gateways learn them, and their revocation."""

from consumers.channels.outcome import Outcome
from consumers.channels.topic import Topic
from consumers.channels.topic import send as send_record
from consumers.store.outbox import Delivery


def send(delivery: Delivery, topic: Topic) -> Outcome:
    """Write one record under the key's hash."""
    return send_record(delivery, topic)
