"""Who owns a place: raising the epoch, and ending whoever stands in the way."""

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert

from consumers.store.facts import Claim, Place
from consumers.store.schema import in_force, offsets

ENDING_MS = 5_000  # how long to wait until a session that stood in the way is gone
TRIES = 3
PLACE = ("consumer_group", "topic", "topic_id", "partition")  # the columns that name a place

# Every save() holds this advisory lock while its transaction lasts. That makes the session findable from outside, at
# once and whatever connection of a pool it uses: a backend id written into a row would show only after its commit.
_HOLDERS = text("""
    SELECT pg_terminate_backend(pid, :wait)
    FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(current_schema() || :name, 0)
""")
_TRY = text("SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || :name, 0))")
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || :name, 0))")


def claim(engine: Engine, place: Place) -> Claim:
    """Take the place over and return where to go on.

    1. End database sessions that are inside a save of this place: one may sleep there and hold locks.
    2. Raise the epoch, so that no checkpoint of an older owner is taken any more; of older lives of the topic, too.
    3. Go back to where snapshots were last complete, counts included: what was stored beyond is derived again.

    Raises SQLAlchemyError when the database is away, when another claim ended this one, or when this login may not end
    the other's session.
    """
    with engine.begin() as connection:
        _take_lock(connection, place)
        connection.execute(insert(offsets).values(**columns(place)).on_conflict_do_nothing())
        connection.execute(
            update(offsets)
            .where(offsets.c.consumer_group == place.group)
            .where(offsets.c.topic == place.topic, offsets.c.partition == place.partition)
            .values(epoch=offsets.c.epoch + 1, claimed=func.now())
        )
        reached = connection.execute(select(offsets.c.next).where(at(place))).scalar_one()
        row = connection.execute(
            update(offsets)
            .where(at(place))
            .values(
                next=offsets.c.snapshot_next,
                scored=offsets.c.snapshot_scored,
                counted=offsets.c.snapshot_counted,
                unreadable=offsets.c.snapshot_unreadable,
            )
            .returning(offsets)
        ).one()
        return Claim(
            place=place,
            epoch=row.epoch,
            next=row.next,
            reached=reached or 0,
            populations=_populations(connection, place),
            policy=row.policy,
            scored=row.scored,
            counted=row.counted,
            unreadable=row.unreadable,
        )


def hold(connection: Connection, place: Place) -> None:
    """Make this transaction findable for a new owner of the place; waits while a claim is under way."""
    connection.execute(_HOLD, {"name": _name(place)})


def at(place: Place) -> ColumnElement[bool]:
    """Return the condition that finds the place's row in `offsets`."""
    return and_(*(offsets.c[name] == value for name, value in columns(place).items()))


def columns(place: Place) -> dict[str, str | int]:
    """Return the place as the tables name it."""
    return dict(zip(PLACE, (place.group, place.topic, place.topic_id, place.partition), strict=True))


def _populations(connection: Connection, place: Place) -> dict[str, str]:
    """Return what is in force for each model; a new life of the topic goes on with what the old one had.

    An added partition begins with what the others have: else its clients' evidence would be left behind.
    """
    own = _in_force(connection, place, in_force.c.partition == place.partition)
    if own:
        return own
    others = _in_force(connection, place, true())
    rows = [{**columns(place), "model": one, "from_offset": 0, "population": others[one]} for one in others]
    if rows:
        connection.execute(insert(in_force), rows)
    return others


def _in_force(connection: Connection, place: Place, which: ColumnElement[bool]) -> dict[str, str]:
    found = connection.execute(
        select(in_force.c.model, in_force.c.population)
        .where(in_force.c.consumer_group == place.group, in_force.c.topic == place.topic, which)
        .order_by(in_force.c.adopted, in_force.c.from_offset)
    )
    return {row.model: row.population for row in found}  # the newest comes last


def _take_lock(connection: Connection, place: Place) -> None:
    name = _name(place)
    for _ in range(TRIES):
        if connection.execute(_TRY, {"name": name}).scalar_one():
            return
        connection.execute(_HOLDERS, {"name": name, "wait": ENDING_MS})
    connection.execute(_HOLD, {"name": name})  # still contended: queue up, bounded by lock_timeout


def _name(place: Place) -> str:
    # The life of the topic is left out: a new life's owner stops the old life's.
    return f"\n{place.group}\n{place.topic}\n{place.partition}"
