"""What people said and the detector has not heard yet."""

from datetime import datetime

from sqlalchemy import Engine, bindparam, exists, select

from consumers.store.facts import Place, microseconds
from consumers.store.schema import feedback, snapshots
from detector.verdict import Feedback

AT_ONCE = 1_000  # taken in at one checkpoint

_ROW, _SNAPSHOT = feedback.c, snapshots.c
_UNHEARD = (
    select(_ROW.id, _ROW.client, _ROW.model, _ROW.what, _ROW.said)
    .where(_ROW.heard.is_(None))
    .order_by(_ROW.id)
    .limit(AT_ONCE)
)
_OURS = _UNHEARD.where(
    exists().where(
        _SNAPSHOT.client == _ROW.client,
        _SNAPSHOT.topic == bindparam("topic"),
        _SNAPSHOT.partition == bindparam("partition"),
    )
)  # built once: each checkpoint asks it


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
    which, bound = (_UNHEARD, {}) if place is None else (_OURS, {"topic": place.topic, "partition": place.partition})
    with engine.connect() as connection:
        return [
            (line.id, Feedback(line.client, line.model, line.what, microseconds(line.said)))
            for line in connection.execute(which, bound)
        ]
