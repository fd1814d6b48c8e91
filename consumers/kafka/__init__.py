"""Kafka, as the consumers need it. Nothing else in this room imports the driver."""

from kafka.errors import KafkaError, SaslAuthenticationFailedError

from consumers.kafka.admin import Made, make_topics, topic_id
from consumers.kafka.connection import KafkaSettings, reachable
from consumers.kafka.history import read_range, written
from consumers.kafka.producer import Producer
from consumers.kafka.source import Change, Source
from consumers.kafka.tail import Tail

__all__ = [
    "Change",
    "KafkaError",
    "KafkaSettings",
    "Made",
    "Producer",
    "SaslAuthenticationFailedError",
    "Source",
    "Tail",
    "make_topics",
    "reachable",
    "read_range",
    "topic_id",
    "written",
]
