"""What is owed to channels: rows of the outbox, written in the transaction of what they tell.

A subject is owed to a channel once, so writing it again adds nothing.
"""

import uuid
from collections.abc import Iterable, Sequence
from functools import cache

from sqlalchemy import Connection, Executable, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from consumers.store.copy import Row
from consumers.store.schema import deliveries
from detector.decision import Decision, Key
from detector.records import (
    ROLE_KEY,
    ApiKey,
    Role,
    decision_key,
    encode_api_key,
    encode_decision,
    encode_key,
    encode_role,
)

WAKE = "gamekeeper_deliveries"  # the NOTIFY channel that `deliver` listens on
TOPIC = "topic"  # the channel that is the compacted topic `decisions`
REPLACED = "replaced"  # the outcome of an alert that a newer one of its episode made needless
KEYS = "keys"  # the channel that is the compacted topic `keys`

_PUT = insert(deliveries).on_conflict_do_nothing()
_NOTIFY = select(func.pg_notify(WAKE, ""))  # heard when, and only if, the transaction commits
_NAMESPACE = uuid.UUID("0b9a8d1e-52c3-5a57-8f1d-6e1f5b6f3c10")  # of message ids; never changes


def decisions(made: Sequence[Decision], channels: Sequence[str]) -> list[Row]:
    """Return what each channel is owed of the decisions."""
    return [_decision(channel, one, f"decision:{one.id}") for one in made for channel in channels]


def again(made: Sequence[Decision], channel: str) -> list[Row]:
    """Return what a channel is owed of decisions that it was told before."""
    return [_decision(channel, one, f"decision:{one.id}:{uuid.uuid4()}") for one in made]


def tombstones(ended: Iterable[tuple[Key, int]], channels: Sequence[str]) -> list[Row]:
    """Return the tombstones that channels are owed for keys, each with the serial of its newest, long past decision."""
    return [
        _row(channel, "tombstone", (name, f"tombstone:{name}:{serial}", None))
        for name, serial in ((encode_key(key).decode(), serial) for key, serial in ended)
        for channel in channels
    ]


def api_key(made: ApiKey, subject: str) -> Row:
    """Return what the keys topic is owed: the present form of a client's API key."""
    return _row(KEYS, "key", (made.hash, subject, encode_api_key(made).decode()))


def no_key(hashed: str) -> Row:
    """Return what the keys topic is owed: the tombstone of a key that is held here no more."""
    return _row(KEYS, "tombstone", (hashed, f"forget:{uuid.uuid4()}", None))


def role(name: str, made: Role | None) -> Row:
    """Return what the keys topic is owed: a role as it now is, or its tombstone."""
    subject = f"{ROLE_KEY}{name}:{uuid.uuid4()}"  # each change is owed, also back to what was
    if made is None:
        return _row(KEYS, "tombstone", (ROLE_KEY + name, subject, None))
    return _row(KEYS, "role", (ROLE_KEY + name, subject, encode_role(made).decode()))


def alert(key: str, subject: str, body: str, channels: Sequence[str]) -> list[Row]:
    """Return what each channel is owed of an alert."""
    return [_row(channel, "alert", (key, subject, body)) for channel in channels]


def put_alerts(connection: Connection, rows: Sequence[Row]) -> None:
    """Owe the alerts. One that still waits is replaced by a newer one of its episode, which says more.

    The end replaces nothing: what was never sent is still told before its end is.
    """
    if not rows:
        return
    put(connection, rows)
    bound = {"channels": sorted({row["channel"] for row in rows}), "keys": sorted({row["key"] for row in rows})}
    connection.execute(_replaced(), bound)


def put(connection: Connection, rows: Sequence[Row]) -> None:
    """Owe it all, and wake who sends."""
    if rows:
        connection.execute(_PUT, rows)
        connection.execute(_NOTIFY)


@cache  # building it takes longer than running it
def _replaced() -> Executable:
    """Return what settles waiting alerts of which a newer one of the same episode says more."""
    older, newer = deliveries, deliveries.alias("newer")
    said_more = exists().where(
        newer.c.channel == older.c.channel,
        newer.c.key == older.c.key,
        newer.c.kind == "alert",
        newer.c.id > older.c.id,
        func.split_part(newer.c.subject, ":", 2) == func.split_part(older.c.subject, ":", 2),
        func.split_part(newer.c.subject, ":", 3) != "resolved",
    )
    waits = older.c.outcome.is_(None) & or_(older.c.leased.is_(None), older.c.leased < func.clock_timestamp())
    return (
        update(older)
        .where(older.c.channel.in_(bindparam("channels", expanding=True)))
        .where(older.c.key.in_(bindparam("keys", expanding=True)))
        .where(older.c.kind == "alert", func.split_part(older.c.subject, ":", 3) != "resolved", waits, said_more)
        .values(outcome=REPLACED, settled=func.now())
    )


def message(subject: str) -> str:
    """Return what a receiver knows a delivery by: the same for every try, without a dot."""
    return f"msg_{uuid.uuid5(_NAMESPACE, subject).hex}"


def _decision(channel: str, made: Decision, subject: str) -> Row:
    return _row(channel, "decision", (decision_key(made).decode(), subject, encode_decision(made).decode()))


def _row(channel: str, kind: str, rest: tuple[str, str, str | None]) -> Row:
    key, subject, payload = rest
    return {"channel": channel, "kind": kind, "key": key, "subject": subject, "payload": payload}
