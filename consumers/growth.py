"""Partitions that were added while we read: an added one begins when the past of its clients is saved.

The producer puts a client into a partition by its name and the number of partitions. When there are more, clients move,
and what they asked before lies in the old partitions. Where those end is looked up once every producer knows of the
added ones; these are read when the snapshots hold everything before.
"""

from datetime import timedelta

import structlog
from sqlalchemy import Engine

from consumers.kafka import Source
from consumers.store import layouts
from consumers.store.facts import Place
from consumers.store.layouts import Layout

log = structlog.get_logger()


def behind(engine: Engine, source: Source, place: Place, partitions: int, learn: timedelta) -> list[int]:
    """Return the partitions that `place`, one of so many, still has to wait for. Raises SQLAlchemyError, KafkaError.

    `learn` is how long producers may take to notice that partitions were added.
    """
    if layouts.note(engine, place, partitions):
        log.info("partitions were added", topic=place.topic, partitions=partitions)
    layout = layouts.that_added(engine, place)
    if layout.ends is None and layout.age >= learn:
        layouts.mark(engine, place, layout, _ends(source, layout))
        layout = layouts.that_added(engine, place)
    if layout.ends is None:
        return list(range(layout.before))
    return layouts.behind(engine, place, layout.ends)


def _ends(source: Source, layout: Layout) -> dict[int, int]:
    """Return where the old partitions end; 0 where retention has left nothing that could be waited for."""
    if layout.partitions % layout.before:
        log.error("the number of partitions is no multiple of what it was: clients also moved between old partitions, "
                  "and may be judged by a part of their past", before=layout.before, now=layout.partitions)  # fmt: skip
    ends = source.ends(range(layout.before))
    return {number: end if source.beginning(number) < end else 0 for number, end in ends.items()}
