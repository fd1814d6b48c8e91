"""Erasing a person's data: everything that Postgres holds of a client, and what the compacted topics say of it."""

import hashlib
import time
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, literal, or_, select, tuple_, update

from consumers.store import alerts, heads, memories, owed
from consumers.store.facts import Channels, Missing
from consumers.store.people import Said, audit
from consumers.store.schema import (
    allowlist,
    api_keys,
    audit_log,
    decision_heads,
    decisions,
    deliveries,
    episodes,
    evidence,
    feedback,
    marks,
    proposals,
    snapshots,
    standings,
    suppressions,
    unreadable,
    verdicts,
)
from detector.decision import ANY_MODEL, Key, Scope
from detector.records import encode_key

HEARD = timedelta(minutes=10)  # after a decision's end everybody has heard of it: bouncers pull far more often
WHOLE_SECONDS = 60.0  # to wait until snapshots hold all that was read: a running `detect` takes five checkpoints
LOOK_SECONDS = 0.05  # between looks whether they do
_BY_CLIENT: tuple[Table, ...] = (verdicts, standings, episodes, snapshots, feedback, suppressions, proposals, marks)
_BY_SCOPE: tuple[Table, ...] = (decisions, decision_heads, allowlist)
BEYOND = (  # what no statement here can reach, told to whoever forgets
    "the topic `predictions`, until its retention removes the client's records",
    "the topics `decisions` and `keys`, until Kafka compacts them (the tombstones are owed now)",
    "what the client asked and `detect` had not read yet, or in its first seconds: judged as a new client's",
    "what was sent to webhooks, mail and other channels; logs; backups of Postgres and its write-ahead log",
)


class StillActs(RuntimeError):  # noqa: N818  # named for what it says to the person
    """A client that is acted against, or of whom something is owed, is not forgotten; the message says what to do."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased: rows by table, and the name under which the audit log knows it."""

    alias: str
    rows: dict[str, int]


def alias(client: str) -> str:
    """Return what stands for a forgotten client: who knows the name can tell."""
    return f"forgotten-{hashlib.blake2b(client.encode(), digest_size=8).hexdigest()}"


def forget(engine: Engine, client: str, said: Said, channels: Channels) -> Forgotten:
    """Erase what is held of a client, and leave one line in the audit log without its name.

    Whoever runs `detect` loses its partitions of the client for some seconds, and with them what it remembers of it.
    Raises Missing when nothing is known of it, ValueError when the reason names it, StillActs while a decision on it is
    in force or something about it is owed.
    """
    if client in said.why:
        raise ValueError("why: it names the client, and it stays; say it without the name")
    end = time.monotonic() + WHOLE_SECONDS
    while (gone := _forget(engine, client, said, channels)) is None:
        if time.monotonic() > end:
            raise StillActs(
                f"client {client!r}: its partition has read more than its snapshots hold, and nobody goes on with it; "
                "start `gamekeeper detect`, and say this again"
            )
        time.sleep(LOOK_SECONDS)
    return gone


def _forget(engine: Engine, client: str, said: Said, channels: Channels) -> Forgotten | None:
    """Erase everything, or nothing at a moment at which a running `detect` would read the client again."""
    with engine.begin() as connection:
        if not memories.end(connection, client):
            connection.rollback()
            return None
        locked = heads.lock_all_of(connection, Key(Scope.CLIENT, client, ANY_MODEL))
        about = _about(connection, client)
        _refuse_while_it_acts(connection, client, locked, about)
        rows = _erase(connection, client, about)
        if not any(count for table, count in rows.items() if table != "decision_heads"):
            raise Missing(f"client {client!r}: never seen")
        _tombstones(connection, locked, channels)
        known = alias(client)
        rows["audit_log"] = _rename(connection, client, known)
        audit(connection, "forget", f"client_id {known} *", said, {"rows": rows})
        return Forgotten(known, rows)


def _about(connection: Connection, client: str) -> ColumnElement[bool]:
    """Return the condition of deliveries that are about a client or its API keys."""
    row = deliveries.c
    decided = encode_key(Key(Scope.CLIENT, client, "")).decode().removesuffix('""]')
    alerted = msgspec.json.encode([client, ""]).decode().removesuffix('""]')
    hashes = list(connection.execute(select(api_keys.c.hash).where(api_keys.c.client == client)).scalars())
    return or_(
        row.kind.in_(("decision", "tombstone")) & func.starts_with(row.key, decided),
        (row.kind == "alert") & func.starts_with(row.key, alerted),
        row.kind.in_(("key", "tombstone")) & row.key.in_(hashes),
    )


def _refuse_while_it_acts(connection: Connection, client: str, locked: heads.Heads, about: ColumnElement[bool]) -> None:
    since = alerts.clock(connection) - HEARD
    if any(head.until is not None and head.until > since for head in locked.values()):
        raise StillActs(
            f"client {client!r}: a decision on it is in force, or ended within {HEARD.seconds // 60} minutes; "
            "`gamekeeper lift` it, wait until all gateways and bouncers have heard, and say this again"
        )
    waits = select(func.count()).select_from(deliveries).where(about, deliveries.c.outcome.is_(None))
    number = connection.execute(waits).scalar_one()
    if number:
        raise StillActs(f"client {client!r}: {number} deliveries about it are owed; wait until `deliver` has sent them")


def _erase(connection: Connection, client: str, about: ColumnElement[bool]) -> dict[str, int]:
    """Delete rows, and return how many of each table."""
    judged = select(verdicts.c.id, verdicts.c.at).where(verdicts.c.client == client)
    conditions: dict[Table, ColumnElement[bool]] = {
        evidence: tuple_(evidence.c.verdict, evidence.c.at).in_(judged),
        deliveries: about,
        unreadable: func.position(literal(client.encode()).op("IN")(unreadable.c.head)) > 0,
        **{table: table.c.client == client for table in _BY_CLIENT},
        **{table: (table.c.scope == Scope.CLIENT.value) & (table.c.value == client) for table in _BY_SCOPE},
    }
    gone = {
        table.name: connection.execute(delete(table).where(chosen)).rowcount for table, chosen in conditions.items()
    }
    own_keys = delete(api_keys).where(api_keys.c.client == client, api_keys.c.kind == "client")
    hashes = list(connection.execute(own_keys.returning(api_keys.c.hash)).scalars())
    owed.put(connection, [owed.no_key(name) for name in hashes])
    return {**gone, api_keys.name: len(hashes)}


def _tombstones(connection: Connection, locked: heads.Heads, channels: Channels) -> None:
    ended = [(head.key, head.serial) for head in locked.values() if head.serial]
    owed.put(connection, owed.tombstones(ended, channels.decisions))


def _rename(connection: Connection, client: str, known: str) -> int:
    """Put the alias in the place of the name in what people did; their words, which may name it, go."""
    row = audit_log.c
    named = f"client_id {client} "
    acts = update(audit_log).where(func.starts_with(row.target, named))
    as_client = acts.values(target=func.concat(f"client_id {known} ", func.substr(row.target, len(named) + 1)), why="")
    of_key = update(audit_log).where(func.right(row.target, len(client) + 4) == f" of {client}")
    as_holder = of_key.values(target=func.concat("key of ", known), why="")
    return sum(connection.execute(statement).rowcount for statement in (as_client, as_holder))
