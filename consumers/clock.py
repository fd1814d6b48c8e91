"""What time alone brings about: decisions end, tombstones fall due, days begin."""

import time
from collections.abc import Iterator

import structlog
from sqlalchemy import Engine

from consumers import metrics
from consumers.store import chores, deliveries
from consumers.store.facts import Channels

EXPIRE_SECONDS = 1.0
COUNT_SECONDS = 60.0  # how old the numbers of undelivered deliveries may be, and how long too many unreadables stay
TIDY_SECONDS = 3_600.0  # tombstones, and partitions of the days ahead
DAYS_AHEAD = 7

log = structlog.get_logger()


def keep_time(engine: Engine, channels: Channels) -> Iterator[None]:
    """Do what is due each time the next step is asked for. Each step may raise SQLAlchemyError."""
    expire_due = tidy_due = count_due = 0.0
    try:
        while True:
            now = time.monotonic()
            if now >= tidy_due:
                _tidy(engine, channels)
                tidy_due = now + TIDY_SECONDS
            if now >= expire_due:
                _expire(engine, channels)
                expire_due = now + EXPIRE_SECONDS
            if now >= count_due:
                _count(engine)
                count_due = now + COUNT_SECONDS
            yield
    finally:
        metrics.UNDELIVERED.clear()  # whoever leads next tells


def _expire(engine: Engine, channels: Channels) -> None:
    ended = chores.expire(engine, channels)
    if ended:
        metrics.EXPIRED.inc(ended)
        log.info("decisions ended by the clock", decisions=ended)


def _count(engine: Engine) -> None:
    gone = chores.forget_unreadable(engine)
    if gone:
        log.warning("there are too many unreadable records to keep: the oldest went", records=gone)
    metrics.UNDELIVERED.clear()
    for (channel, outcome), number in deliveries.counts(engine).items():
        metrics.UNDELIVERED.labels(channel, outcome).set(number)


def _tidy(engine: Engine, channels: Channels) -> None:
    tombstones = chores.tombstones(engine, channels)
    made = chores.partitions_ahead(engine, DAYS_AHEAD)
    log.info("tidied", tombstones=tombstones, partitions_made=made)
