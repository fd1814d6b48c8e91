"""What people decide and say. Each act is one transaction, and leaves a line in `audit_log`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from consumers.store import alerts, heads, suppressions
from consumers.store.facts import FOREVER, Channels, Missing, moment
from consumers.store.heads import Draft, Head, Heads
from consumers.store.schema import allowlist, audit_log, feedback, snapshots
from detector.decision import ANY_MODEL, Action, Decision, Key, Origin, Scope

LABELS = ("false-positive", "true-positive", "authorised-test")


class Exempt(RuntimeError):  # noqa: N818  # named for what it says to the person
    """Who is on the allowlist cannot be acted against; the message says what to do first."""

    for_people = True  # the command line prints the message as it is


@dataclass(frozen=True, slots=True)
class Said:
    """Who did it, and why, in their own words."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Order:
    """A decision that a person takes."""

    scope: Scope
    value: str
    model: str  # a model's name or ANY_MODEL
    action: Action
    seconds: int | None  # None: until somebody ends it
    why: str
    who: str

    @property
    def key(self) -> Key:
        """What it is about."""
        return Key(self.scope, self.value, self.model)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the allowlist."""

    scope: Scope
    value: str
    model: str  # a model's name or ANY_MODEL
    until: int | None = None  # µs; None: until somebody removes it

    @property
    def key(self) -> Key:
        """What it is about."""
        return Key(self.scope, self.value, self.model)


def decide(engine: Engine, order: Order, channels: Channels) -> Decision:
    """Take a person's decision: always enforced, never shadow. Allowing also ends what is in force on single models.

    Raises Exempt when the order would act against the allowlist.
    """
    with engine.begin() as connection:
        now = alerts.clock(connection)
        locked = heads.lock_all_of(connection, order.key)
        if order.action is not Action.ALLOW:
            respect_allowlist(connection, order.key, now)
        until = FOREVER if order.seconds is None else _after(now, order.seconds)
        draft = Draft(order.key, order.action, until, Origin.PERSON, order.why, who=order.who)
        others = [head for head in _acting(locked, now) if head.key != order.key]
        ended = others if order.action is Action.ALLOW else []
        drafts = [draft, *(replace(draft, key=head.key) for head in ended)]
        made, *_ = _write(connection, locked, drafts, channels)
        _resolve(connection, ended, Said(order.who, order.why), channels)
        details = {"seconds": order.seconds, "decision": made.id, "serial": made.serial}
        audit(connection, order.action.word, order.key, Said(order.who, order.why), details)
        return made


def lift(  # noqa: PLR0913, PLR0917  # a decision is named by three words on the wire, too
    engine: Engine, scope: Scope, value: str, model: str, said: Said, channels: Channels
) -> list[Decision]:
    """End what is in force, with every model where `model` is ANY_MODEL, and tell the detector. Returns the decisions.

    The detector begins afresh with the client: the same evidence does not count twice. Entries of the allowlist stay.
    Raises Missing when nobody ever heard of it.
    """
    key = Key(scope, value, model)
    with engine.begin() as connection:
        now = alerts.clock(connection)
        locked = heads.lock_all_of(connection, key)
        if not any(head.serial for head in locked.values()) and not _known(connection, key):
            raise Missing(f"{key.scope.value} {key.value!r}: no decision on it, no query of it")
        ended = [head for head in locked.values() if head.holds(now) and head.origin is not Origin.ALLOWLIST]
        drafts = [
            Draft(head.key, Action.ALLOW, now, Origin.PERSON, said.why, who=said.who, episode=head.episode)
            for head in ended
        ]
        made = _write(connection, locked, drafts, channels)
        _resolve(connection, ended, said, channels)
        if key.scope is Scope.CLIENT:
            _say(connection, key, "lift", said)
        audit(connection, "lift", key, said, {"decisions": [decision.id for decision in made]})
        return made


def label(engine: Engine, client: str, model: str, what: str, said: Said) -> int:
    """Record what a person found out about a client (`what` is one of LABELS). Returns the feedback's id.

    What follows is the detector's answer, at a recorded point of the client's stream. What spoke against it is
    suppressed for a time, unless it is a true positive, which lets everything speak again.
    Raises ValueError for another label, Missing for a client that was never seen.
    """
    if what not in LABELS:
        raise ValueError(f"label: {what!r} is not one of {', '.join(LABELS)}")
    key = Key(Scope.CLIENT, client, model)
    with engine.begin() as connection:
        if not _known(connection, key):
            raise Missing(f"client {client!r}: never seen")
        heads.lock_all_of(connection, key)  # before it is looked at where a verdict is answered, or after
        number = _say(connection, key, what, said)
        suppressed = []
        if what == "true-positive":
            suppressions.end(connection, client, model)
        else:
            suppressed = suppressions.suppress(connection, client, model, number)
        audit(connection, "label", key, said, {"label": what, "feedback": number, "suppressed": suppressed})
        return number


def conclude(engine: Engine, about: Key, what: str, said: Said, channels: Channels) -> int:
    """Label a client, and lift what is in force on it unless it is a true positive. Returns the feedback's id.

    `about` names the client and model. Raises as `label` does.
    """
    number = label(engine, about.value, about.model, what, said)
    if what != "true-positive":
        lift(engine, about.scope, about.value, about.model, said, channels)
    return number


def allowlist_add(engine: Engine, entry: Entry, said: Said, channels: Channels) -> list[Decision]:
    """Add or change an entry, and end what is in force against it in the same transaction. Returns the decisions."""
    with engine.begin() as connection:
        now = alerts.clock(connection)
        until = FOREVER if entry.until is None else moment(entry.until)
        locked = heads.lock_all_of(connection, entry.key)
        row = {**_names(entry.key), "until": until, "why": said.why, "who": said.who}
        fresh = {"until": until, "why": said.why, "who": said.who, "added": func.now()}
        connection.execute(
            upsert(allowlist).values(row).on_conflict_do_update(constraint=allowlist.primary_key, set_=fresh)
        )
        ended = [head for head in _acting(locked, now) if head.key != entry.key]
        draft = Draft(entry.key, Action.ALLOW, until, Origin.ALLOWLIST, said.why, who=said.who)
        drafts = [draft, *(replace(draft, key=head.key) for head in ended)]
        made = _write(connection, locked, drafts, channels)
        _resolve(connection, ended, said, channels)
        audit(connection, "allowlist-add", entry.key, said, {"decisions": [decision.id for decision in made]})
        return made


def allowlist_remove(  # noqa: PLR0913, PLR0917  # as above
    engine: Engine, scope: Scope, value: str, model: str, said: Said, channels: Channels
) -> list[Decision]:
    """Remove an entry and end the decisions that it made, which are returned; none when there is no such entry."""
    key = Key(scope, value, model)
    with engine.begin() as connection:
        now = alerts.clock(connection)
        locked = heads.lock_all_of(connection, key)
        same = (allowlist.c[name] == value for name, value in _names(key).items())
        if connection.execute(delete(allowlist).where(*same)).rowcount == 0:
            return []
        listed = [head for head in locked.values() if head.origin is Origin.ALLOWLIST and head.holds(now)]
        drafts = [Draft(head.key, Action.ALLOW, now, Origin.PERSON, said.why, who=said.who) for head in listed]
        made = _write(connection, locked, drafts, channels)
        audit(connection, "allowlist-remove", key, said, {"decisions": [decision.id for decision in made]})
        return made


def audit(connection: Connection, what: str, target: Key | str, said: Said, details: Mapping[str, Any]) -> None:
    """Append a line to `audit_log`. `details` must hold no secret."""
    named = target if isinstance(target, str) else f"{target.scope.value} {target.value} {target.model}"
    row = {"who": said.who, "what": what, "target": named, "why": said.why, "details": dict(details)}
    connection.execute(insert(audit_log).values(row))


def respect_allowlist(connection: Connection, key: Key, now: datetime) -> None:
    """Raise Exempt when the allowlist forbids to act against `key`, which is locked."""
    for scope, value, model in heads.allowlisted(connection, {key, replace(key, model=ANY_MODEL)}, now):
        raise Exempt(f"{scope} {value!r} is on the allowlist (model {model!r}); remove it there first")


def _write(connection: Connection, locked: Heads, drafts: Sequence[Draft], channels: Channels) -> list[Decision]:
    return heads.write(connection, [heads.take(locked, draft) for draft in drafts], channels.decisions)


def _acting(locked: Heads, now: datetime) -> list[Head]:
    """Return the heads that act against somebody now."""
    return [head for head in locked.values() if head.holds(now) and head.action is not Action.ALLOW]


def _resolve(connection: Connection, ended: Sequence[Head], said: Said, channels: Channels) -> None:
    now = alerts.clock(connection)
    told = {
        head.episode: alerts.Told(f"person:{head.serial}", now, f"ended by {said.who}: {said.why}")
        for head in ended
        if head.episode is not None
    }
    alerts.resolve(connection, told, channels)


def _say(connection: Connection, key: Key, what: str, said: Said) -> int:
    row = {"client": key.value, "model": key.model, "what": what, "why": said.why, "who": said.who}
    number: int = connection.execute(insert(feedback).values(row).returning(feedback.c.id)).scalar_one()
    return number


def _known(connection: Connection, key: Key) -> bool:
    seen = select(snapshots.c.client).where(snapshots.c.client == key.value).limit(1)
    return key.scope is Scope.CLIENT and connection.execute(seen).first() is not None


def _names(key: Key) -> dict[str, str]:
    return {"scope": key.scope.value, "value": key.value, "model": key.model}


def _after(now: datetime, seconds: int) -> datetime:
    return now + min(timedelta(seconds=seconds), FOREVER - now)
