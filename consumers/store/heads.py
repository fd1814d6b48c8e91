"""Decisions, written under the lock of their head: the only place where serials grow.

A head is the newest decision on a key. Every writer first locks all heads it will touch, in one order, so that nobody
waits in a circle; then reads what is in force and on the allowlist; then writes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from consumers.store import owed
from consumers.store.among import among, named
from consumers.store.copy import Row
from consumers.store.facts import microseconds
from consumers.store.schema import allowlist, decision_heads, decisions
from detector.decision import ANY_MODEL, Action, Decision, Key, Origin, Scope


@dataclass(frozen=True, slots=True)
class Head:
    """The newest decision on a key; serial 0 when none was ever taken."""

    key: Key
    serial: int
    action: Action
    until: datetime | None
    origin: Origin | None
    shadow: bool
    episode: UUID | None

    def holds(self, now: datetime) -> bool:
        """Tell whether it is still in force."""
        return self.until is not None and now < self.until


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision before it has a serial."""

    key: Key
    action: Action
    until: datetime
    origin: Origin
    reason: str
    shadow: bool = False
    verdict: UUID | None = None
    episode: UUID | None = None
    who: str | None = None
    judged: datetime | None = None  # event time of the verdict


@dataclass(frozen=True, slots=True)
class Numbered:
    """A draft with its serial, not yet written."""

    draft: Draft
    serial: int


Heads = dict[Key, Head]
_NAMES = ("scope", "value", "model")  # what names a key, in the order of _names()

# Built once: that takes longer than running them.
_MAKE = upsert(decision_heads).on_conflict_do_nothing()
_HEAD = decision_heads.c
_LOCKED = (
    select(decision_heads)
    .order_by(_HEAD.scope.collate("C"), _HEAD.value.collate("C"), _HEAD.model.collate("C"))
    .with_for_update()
)
_NAMED = _LOCKED.where(among(_HEAD.scope, _HEAD.value, _HEAD.model))
_LISTED = select(allowlist.c.scope, allowlist.c.value, allowlist.c.model).where(
    among(allowlist.c.scope, allowlist.c.value, allowlist.c.model), allowlist.c.until > bindparam("now")
)
_APPEND = insert(decisions).returning(decisions.c.id, *(decisions.c[name] for name in (*_NAMES, "serial")))
_MOVE = update(decision_heads).where(*(_HEAD[name] == bindparam(f"of_{name}") for name in _NAMES))


def lock(connection: Connection, keys: Iterable[Key], make: Iterable[Key]) -> Heads:
    """Lock the heads of `keys` that exist until the transaction ends; those of `make` come to exist.

    Call it once a transaction, with every key that may be written.
    """
    wanted = sorted(set(keys) | set(make), key=_order)
    if not wanted:
        return {}
    rows = [dict(zip(_NAMES, _names(key), strict=True)) for key in sorted(set(make), key=_order)]
    if rows:
        connection.execute(_MAKE, rows)
    return _heads(connection.execute(_NAMED, named(map(_names, wanted))))


def lock_all_of(connection: Connection, key: Key) -> Heads:
    """Lock the head of `key` and, where it means every model, the heads of all models of the same scope and value."""
    if key.model != ANY_MODEL:
        return lock(connection, [key], [key])
    connection.execute(_MAKE, dict(zip(_NAMES, _names(key), strict=True)))
    return _heads(connection.execute(_LOCKED.where(_HEAD.scope == key.scope.value, _HEAD.value == key.value)))


def take(heads: Heads, draft: Draft) -> Numbered:
    """Give the draft the next serial of its key; the head moves on in `heads`."""
    serial = heads[draft.key].serial + 1
    heads[draft.key] = Head(draft.key, serial, draft.action, draft.until, draft.origin, draft.shadow, draft.episode)
    return Numbered(draft, serial)


def write(connection: Connection, taken: Sequence[Numbered], channels: Sequence[str]) -> list[Decision]:
    """Append the decisions under their locked heads, and owe them to the channels. Returns them in the same order."""
    if not taken:
        return []
    found = connection.execute(_APPEND, [_decision(one) for one in taken])
    numbers = {(row.scope, row.value, row.model, row.serial): row.id for row in found}
    made = [_wire(one, numbers[(*_names(one.draft.key), one.serial)]) for one in taken]
    connection.execute(_MOVE, [_head(one, decision.id) for one, decision in zip(taken, made, strict=True)])
    owed.put(connection, owed.decisions(made, channels))
    return made


def allowlisted(connection: Connection, keys: Iterable[Key], now: datetime) -> set[tuple[str, str, str]]:
    """Return the (scope, value, model) of entries in force on any of the keys. Call it after `lock`."""
    wanted = sorted({_names(key) for key in keys})
    if not wanted:
        return set()
    found = connection.execute(_LISTED, {**named(wanted), "now": now})
    return {(row.scope, row.value, row.model) for row in found}


def _names(key: Key) -> tuple[str, str, str]:
    return key.scope.value, key.value, key.model


def _order(key: Key) -> tuple[bytes, bytes, bytes]:
    """Order as the database does under the collation "C"."""
    return key.scope.value.encode(), key.value.encode(), key.model.encode()


def _heads(found: Iterable[Any]) -> Heads:
    heads = (
        Head(
            key=Key(Scope(row.scope), row.value, row.model),
            serial=row.serial,
            action=Action.parse(row.action),
            until=row.until,
            origin=None if row.origin is None else Origin(row.origin),
            shadow=row.shadow,
            episode=row.episode,
        )
        for row in found
    )
    return {head.key: head for head in heads}


def _decision(one: Numbered) -> Row:
    return {
        **dict(zip(_NAMES, _names(one.draft.key), strict=True)),
        "serial": one.serial,
        "action": one.draft.action.word,
        "until": one.draft.until,
        "origin": one.draft.origin.value,
        "reason": one.draft.reason,
        "shadow": one.draft.shadow,
        "verdict": one.draft.verdict,
        "episode": one.draft.episode,
        "who": one.draft.who,
        "judged": one.draft.judged,
    }


def _head(one: Numbered, number: int) -> Row:
    return {
        **dict(zip((f"of_{name}" for name in _NAMES), _names(one.draft.key), strict=True)),
        "serial": one.serial,
        "decision": number,
        "action": one.draft.action.word,
        "until": one.draft.until,
        "origin": one.draft.origin.value,
        "shadow": one.draft.shadow,
        "episode": one.draft.episode,
        "expired": None,
        "tombstoned": None,
    }


def _wire(one: Numbered, number: int) -> Decision:
    draft = one.draft
    return Decision(
        id=number,
        serial=one.serial,
        key=draft.key,
        action=draft.action,
        until=microseconds(draft.until),
        origin=draft.origin,
        reason=draft.reason,
        verdict=None if draft.verdict is None else str(draft.verdict),
        shadow=draft.shadow,
    )
