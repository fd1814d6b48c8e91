"""Where decisions and alerts go. One file a channel; add one by adding its name here."""

from collections.abc import Mapping

from consumers.channels import keys, push, topic, webhook
from consumers.channels.outcome import KAFKA_WAITS, STANDARD_WAITS, Kind

CHANNELS: Mapping[str, Kind] = {
    "topic": Kind(topic.send, KAFKA_WAITS, forever=True),
    "keys": Kind(keys.send, KAFKA_WAITS, forever=True),
    "push": Kind(push.send, STANDARD_WAITS),
    "webhook": Kind(webhook.send, STANDARD_WAITS),
}
