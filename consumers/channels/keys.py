"""The compacted topic of clients' hashed API keys and of roles: how gateways learn them, and their end."""

from consumers.channels.outcome import Outcome
from consumers.channels.topic import Topic
from consumers.channels.topic import send as send_record
from consumers.store.outbox import Delivery


def send(delivery: Delivery, topic: Topic) -> Outcome:
    """Write one record under the key's hash, or `role:` and the role's name."""
    return send_record(delivery, topic)
