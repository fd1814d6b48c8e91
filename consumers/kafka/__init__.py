"""Kafka, as the consumers need it. Nothing else in this room imports the driver."""

from kafka.errors import KafkaError

from consumers.kafka.admin import Made, make_topics, topic_id
from consumers.kafka.connection import KafkaSettings, connection, reachable
from consumers.kafka.history import read_range, written
from consumers.kafka.membership import Change
from consumers.kafka.producer import Producer
from consumers.kafka.source import Source
from consumers.kafka.tail import Tail

__all__ = [
    "Change",
    "KafkaError",
    "KafkaSettings",
    "Made",
    "Producer",
    "Source",
    "Tail",
    "connection",
    "make_topics",
    "reachable",
    "read_range",
    "topic_id",
    "written",
]
