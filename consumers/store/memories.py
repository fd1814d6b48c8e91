"""Ending what running processes hold in memory of a client, so that nobody writes it down again."""

from sqlalchemy import Connection, and_, select, text, update

from consumers.store.claims import at, hold
from consumers.store.facts import Place
from consumers.store.schema import offsets

# Of each partition the newest life: older ones have no owner any more.
_PLACES = text("""
    SELECT DISTINCT ON (consumer_group, topic, partition) consumer_group, topic, topic_id, partition
    FROM offsets JOIN (
        SELECT topic, partition FROM snapshots WHERE client = :client
        UNION SELECT topic, partition FROM verdicts WHERE client = :client
    ) AS judged USING (topic, partition)
    ORDER BY consumer_group, topic, partition, claimed DESC NULLS LAST
""")


def end(connection: Connection, client: str) -> bool:
    """Fence the partitions that judged a client, if their snapshots hold all that they have read. Tells whether.

    1. Hold them, so that no checkpoint is half written. Call this before any other lock: checkpoints do it first, too.
    2. Look whether snapshots are complete. Where not, an owner would read the client's latest records again: nothing is
       done, and the next complete ones are a few checkpoints away.
    3. Raise the epochs. What an owner holds in memory cannot be written any more; it drops that and goes on from the
       snapshots, which are exactly where it was, and from which the client is gone when this transaction commits.
    """
    places = [Place(*row) for row in connection.execute(_PLACES, {"client": client})]
    for place in places:
        hold(connection, place)
    if not all(_complete(connection, place) for place in places):
        return False
    row = offsets.c
    for place in places:
        same = and_(row.consumer_group == place.group, row.topic == place.topic, row.partition == place.partition)
        connection.execute(update(offsets).where(same).values(epoch=row.epoch + 1))
    return True


def _complete(connection: Connection, place: Place) -> bool:
    whole = offsets.c.next.is_not_distinct_from(offsets.c.snapshot_next)
    return bool(connection.execute(select(whole).where(at(place))).scalar_one())
