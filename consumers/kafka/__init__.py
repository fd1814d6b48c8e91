"""Kafka, as the consumers need it. Nothing else in this room imports the driver."""

from kafka.errors import KafkaError, SaslAuthenticationFailedError

from consumers.kafka.admin import Found, Made, describe, find, make_topics
from consumers.kafka.connection import knock, reachable
from consumers.kafka.history import ends, read_range, written
from consumers.kafka.membership import Change
from consumers.kafka.producer import Producer
from consumers.kafka.source import Source
from consumers.kafka.tail import Tail
from consumers.kafka.unpack import warm

__all__ = [
    "Change",
    "Found",
    "KafkaError",
    "Made",
    "Producer",
    "SaslAuthenticationFailedError",
    "Source",
    "Tail",
    "describe",
    "ends",
    "find",
    "knock",
    "make_topics",
    "reachable",
    "read_range",
    "warm",
    "written",
]
