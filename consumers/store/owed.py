"""What is owed to channels: rows of the outbox, written in the transaction of what they tell.

A subject is owed to a channel once, so writing it again adds nothing.
"""

import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from consumers.store.schema import deliveries
from detector.decision import Decision, Key
from detector.records import ApiKey, decision_key, encode_api_key, encode_decision, encode_key

WAKE = "gamekeeper_deliveries"  # the NOTIFY channel that `deliver` listens on
TOPIC = "topic"  # the channel that is the compacted topic `decisions`
KEYS = "keys"  # the channel that is the compacted topic `keys`

_NAMESPACE = uuid.UUID("0b9a8d1e-52c3-5a57-8f1d-6e1f5b6f3c10")  # of message ids; never changes


def decision(connection: Connection, made: Decision, channels: Sequence[str]) -> None:
    """Owe a decision to each channel."""
    body = encode_decision(made).decode()
    _owe(connection, channels, ("decision", decision_key(made).decode(), f"decision:{made.id}", body))


def tombstone(connection: Connection, key: Key, serial: int) -> None:
    """Owe the decisions topic a tombstone for a key whose newest decision is long past."""
    name = encode_key(key).decode()
    _owe(connection, (TOPIC,), ("tombstone", name, f"tombstone:{name}:{serial}", None))


def api_key(connection: Connection, made: ApiKey, subject: str) -> None:
    """Owe the keys topic the present form of a client's API key."""
    _owe(connection, (KEYS,), ("key", made.hash, subject, encode_api_key(made).decode()))


def alert(connection: Connection, key: str, subject: str, body: str, channels: Sequence[str]) -> None:
    """Owe an alert to each channel."""
    _owe(connection, channels, ("alert", key, subject, body))


def message(subject: str) -> str:
    """Return what a receiver knows a delivery by: the same for every try, without a dot."""
    return f"msg_{uuid.uuid5(_NAMESPACE, subject).hex}"


def _owe(connection: Connection, channels: Sequence[str], owed: tuple[str, str, str, str | None]) -> None:
    if not channels:
        return
    row = dict(zip(("kind", "key", "subject", "payload"), owed, strict=True))
    rows = [{"channel": channel, **row} for channel in channels]
    connection.execute(insert(deliveries).on_conflict_do_nothing(), rows)
    connection.execute(select(func.pg_notify(WAKE, "")))  # heard when, and only if, this transaction commits
