"""The circuit breaker: opens when the detector would newly block too many clients of a model, and stays open.

The count is of the whole model and exact, however many `detect` processes there are: whoever would block somebody takes
the model's lock, then counts what has committed, and holds it until its own transaction ends.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, insert, select, text, update

from consumers.alert import Alert, Case, Change, Severity, encode, facts
from consumers.filters import Filter
from consumers.store import owed
from consumers.store.facts import Channels, Missing
from consumers.store.people import Said, audit
from consumers.store.schema import trips
from detector.decision import ANY_MODEL
from detector.policy import Breaker, Policy
from detector.standing import Standing

PLAIN = (
    "So many clients would be blocked at once that either a crowd of thieves has come or something is wrong: "
    "with the model, its population, or its clients. From now on nothing is enforced by itself."
)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' breaker ' || :model, 0))")
_BLOCKED = text("""
    SELECT DISTINCT value FROM decisions
    WHERE made > greatest(
            now() - make_interval(secs => :seconds),
            (SELECT max(closed) FROM trips WHERE trips.model = :model))
      AND model = :model AND scope = 'client_id' AND origin = 'detector' AND action = 'block' AND NOT shadow
""")
# `written` has no index on purpose: it would make every snapshot dearer, and this is asked only when many are blocked.
_ASKED = text("""
    SELECT count(*) AS clients,
           count(*) FILTER (WHERE client = ANY (:blocked)) AS known,
           coalesce(sum(queries), 0) AS queries,
           coalesce(sum(queries) FILTER (WHERE client = ANY (:blocked)), 0) AS theirs
    FROM snapshots
    WHERE model = :model AND (written > now() - make_interval(secs => :seconds) OR client = ANY (:blocked))
""")
_OPEN = select(trips.c.model).where(trips.c.model.in_(bindparam("models", expanding=True)), trips.c.closed.is_(None))


@dataclass(frozen=True, slots=True)
class Count:
    """How many would be newly blocked, of how many."""

    blocked: int
    clients: int
    theirs: float  # share of the clients' queries that is theirs

    def too_many(self, limits: Breaker) -> bool:
        """Tell whether a person must look first."""
        shares = self.blocked > limits.clients * self.clients or self.theirs > limits.traffic
        return self.blocked >= limits.least and shares

    def sentence(self, limits: Breaker) -> str:
        """Say it to a person."""
        return (
            f"{self.blocked} of {self.clients} clients, with {self.theirs:.1%} of the queries, would be newly blocked "
            f"within {limits.seconds} s; the policy allows {limits.clients:.1%} of clients, {limits.traffic:.1%} of "
            f"queries, or fewer than {limits.least} clients"
        )


@dataclass(frozen=True, slots=True)
class Trip:
    """One row of `trips`."""

    id: uuid.UUID
    model: str
    opened: datetime
    blocked: int
    clients: int
    reason: str
    policy: str
    told: Sequence[str]
    closed: datetime | None
    who: str | None
    why: str | None


def holding(
    connection: Connection, models: Collection[str], blocks: Iterable[tuple[str, str]], around: tuple[Policy, Channels]
) -> set[str]:
    """Return those of `models` whose breaker is open, or opens now because of `blocks`: new ones, (model, client).

    Call it after the heads were locked. Without new blocks it costs one look; with few, one more.
    """
    if not models:
        return set()
    wanted: dict[str, set[str]] = {}
    for model, client in blocks:
        wanted.setdefault(model, set()).add(client)
    for model in sorted(wanted):
        connection.execute(_LOCK, {"model": model})
    open_now = set(_open(connection, models))
    policy, channels = around
    for model in sorted(wanted.keys() - open_now):
        count = _count(connection, model, wanted[model], policy.breaker)
        if count is not None and count.too_many(policy.breaker):
            _trip(connection, model, (count, policy), channels)
            open_now.add(model)
    return open_now


def close(engine: Engine, model: str, said: Said, channels: Channels) -> Trip:
    """Close a model's breaker: from now on decisions are enforced again, and the count begins anew. Raises Missing."""
    with engine.begin() as connection:
        connection.execute(_LOCK, {"model": model})
        ended = trips.c.model == model, trips.c.closed.is_(None)
        values = {"closed": func.now(), "who": said.who, "why": said.why}
        row = connection.execute(update(trips).where(*ended).values(values).returning(trips)).one_or_none()
        if row is None:
            raise Missing(f"the breaker of model {model!r} is not open")
        trip = Trip(**row._mapping)  # noqa: SLF001  # documented
        to = [name for name in channels.alerts if name in trip.told]
        _tell(connection, trip, Change.RESOLVED, to)
        audit(connection, "breaker-close", f"model {model}", said, {"trip": str(trip.id)})
        return trip


def show(engine: Engine, model: str | None = None, limit: int = 100) -> list[Trip]:
    """Return when breakers opened, open ones first, then the newest."""
    row = trips.c
    query = select(trips).order_by(row.closed.is_not(None), row.opened.desc()).limit(limit)
    with engine.connect() as connection:
        found = connection.execute(query if model is None else query.where(row.model == model))
        return [Trip(**line._mapping) for line in found]  # noqa: SLF001  # documented


def _open(connection: Connection, models: Collection[str]) -> Iterable[str]:
    return connection.execute(_OPEN, {"models": sorted(models)}).scalars()


def _count(connection: Connection, model: str, clients: set[str], limits: Breaker) -> Count | None:
    """Return how many would be newly blocked with `clients`; None: too few to matter, and nobody else is counted."""
    bound: dict[str, Any] = {"model": model, "seconds": limits.seconds}
    blocked = sorted(clients.union(connection.execute(_BLOCKED, bound).scalars()))
    if len(blocked) < limits.least:
        return None
    asked = connection.execute(_ASKED, {**bound, "blocked": blocked}).one()
    everybody = asked.clients + len(blocked) - asked.known  # whose first snapshot this checkpoint writes are not there
    return Count(len(blocked), everybody, float(asked.theirs / max(asked.queries, 1)))


def _trip(connection: Connection, model: str, why: tuple[Count, Policy], channels: Channels) -> None:
    count, policy = why
    case = _case(model, Change.OPENED, connection.execute(select(func.now())).scalar_one())
    to = [name for name in channels.alerts if channels.filters.get(name, Filter()).passes(facts(case))]
    row = {
        "id": uuid.uuid4(),
        "model": model,
        "blocked": count.blocked,
        "clients": count.clients,
        "reason": count.sentence(policy.breaker),
        "policy": policy.version,
        "told": to,
    }
    made = connection.execute(insert(trips).values(row).returning(trips)).one()
    _tell(connection, Trip(**made._mapping), Change.OPENED, to)  # noqa: SLF001  # documented


def _tell(connection: Connection, trip: Trip, change: Change, to: Sequence[str]) -> None:
    closed = change is Change.RESOLVED
    reason = f"closed by {trip.who}: {trip.why}" if closed else trip.reason
    case = _case(trip.model, change, trip.opened, reason=reason, episode=str(trip.id))
    body = encode(Alert(f"breaker.{'closed' if closed else 'opened'}", trip.closed or trip.opened, case)).decode()
    key = f'["{ANY_MODEL}","{trip.id}"]'
    owed.put_alerts(connection, owed.alert(key, f"alert:{trip.id}:{change}:{trip.id}", body, to))


def _case(model: str, change: Change, since: datetime, reason: str = "", episode: str = "") -> Case:
    return Case(
        client=ANY_MODEL,  # every client
        model=model,
        standing=Standing.CLEAR if change is Change.RESOLVED else Standing.CONFIRMED,
        highest=Standing.CONFIRMED,
        change=change,
        severity=Severity.CRITICAL,
        since=since,
        score=1.0,
        plain=PLAIN,
        reason=reason,
        action="allow",
        episode=episode,
    )
