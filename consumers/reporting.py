"""What `detect` tells of its partitions: to Prometheus, and each verdict to the log."""

import structlog

from consumers import metrics
from consumers.partition import Pending

log = structlog.get_logger()


def lag(partition: int, records: int, seconds: float) -> None:
    """Tell what waits to be read, and how long it has waited."""
    metrics.LAG.labels(str(partition)).set(records)
    metrics.LAG_SECONDS.labels(str(partition)).set(seconds)


def written(partition: int, pending: Pending) -> None:
    """Tell what is in Postgres now."""
    metrics.READ.inc(pending.read)
    metrics.SCORED.inc(pending.scored)
    metrics.UNREADABLE.inc(len(pending.unreadable))
    metrics.POISONED.inc(pending.poisoned)
    for verdict in pending.verdicts:
        metrics.VERDICTS.labels(verdict.standing).inc()
        log.info(
            "verdict",
            client=verdict.client,
            model=verdict.model,
            standing=str(verdict.standing),
            queries=verdict.queries,
            score=round(verdict.score, 4),
            shadow=verdict.shadow,
            partition=partition,
        )
