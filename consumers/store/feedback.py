"""What people said and the detector has not heard yet."""

from datetime import datetime

from sqlalchemy import Engine, exists, select

from consumers.store.facts import Place, microseconds
from consumers.store.schema import feedback, snapshots
from detector.verdict import Feedback

AT_ONCE = 1_000  # taken in at one checkpoint


def since(engine: Engine, start: datetime) -> list[Feedback]:
    """Return what was said from a time on, in that order, whether or not it was heard."""
    row = feedback.c
    query = select(row.client, row.model, row.what, row.said).where(row.said >= start).order_by(row.id)
    with engine.connect() as connection:
        return [
            Feedback(line.client, line.model, line.what, microseconds(line.said)) for line in connection.execute(query)
        ]


def pending(engine: Engine, place: Place | None = None) -> list[tuple[int, Feedback]]:
    """Return unheard feedback in the order in which it was said, with the ids that a checkpoint marks as heard.

    With a place: only of clients whose latest snapshot was saved from it, however their records found it.
    """
    row = feedback.c
    query = select(row.id, row.client, row.model, row.what, row.said).where(row.heard.is_(None))
    if place is not None:
        snapshot = snapshots.c
        ours = (snapshot.topic == place.topic) & (snapshot.partition == place.partition)
        query = query.where(exists().where(snapshot.client == row.client, ours))
    with engine.connect() as connection:
        return [
            (line.id, Feedback(line.client, line.model, line.what, microseconds(line.said)))
            for line in connection.execute(query.order_by(row.id).limit(AT_ONCE))
        ]
