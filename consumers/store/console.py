"""What the console shows at a glance, beyond the lists: models, who does not stand clear, who is at work."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

SUSPECTS = 50  # the most suspicious; the list of clients has them all

_MODELS = text("""
    SELECT overview.*, trips.opened AS breaker
    FROM model_overview AS overview LEFT JOIN trips ON trips.model = overview.model AND trips.closed IS NULL
    ORDER BY overview.model
""")
# `held` is the strictest decision in force: a lift shows at once, the standing follows with the client's next query.
_SUSPECTS = text("""
    SELECT standing.client, standing.model, standing.tenant, standing.standing, standing.since, standing.score,
           standing.leakage, standing.reason, held.action, held.shadow, held.origin
    FROM standings AS standing
    LEFT JOIN LATERAL (
        SELECT action, shadow, origin FROM decision_heads
        WHERE scope = 'client_id' AND value = standing.client AND model IN (standing.model, '*') AND until > now()
        ORDER BY origin = 'allowlist' DESC, shadow,
                 array_position(ARRAY['block', 'throttle', 'perturb', 'allow'], action)
        LIMIT 1
    ) AS held ON true
    WHERE standing.standing <> 'clear'
    ORDER BY array_position(ARRAY['confirmed', 'suspected', 'watched'], standing.standing), standing.score DESC,
             standing.since DESC, standing.client, standing.model
    LIMIT :limit
""")
_PARTITIONS = text(
    "SELECT * FROM ingest_lag ORDER BY consumer_group, topic, partition, claimed DESC NULLS LAST LIMIT 500"
)
_PROCESSES = text("""
    SELECT application_name AS name, count(*) AS connections FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'gamekeeper %'
    GROUP BY application_name ORDER BY application_name
""")


def models(engine: Engine) -> Sequence[Any]:
    """Return each model that was asked: the view `model_overview`, and since when its breaker is open, if it is."""
    return _rows(engine, _MODELS)


def suspects(engine: Engine, limit: int = SUSPECTS) -> Sequence[Any]:
    """Return who does not stand clear, the most suspicious first, with what is in force on each."""
    return _rows(engine, _SUSPECTS, limit=limit)


def partitions(engine: Engine) -> Sequence[Any]:
    """Return how far each partition is accounted for: the view `ingest_lag`."""
    return _rows(engine, _PARTITIONS)


def processes(engine: Engine) -> Sequence[Any]:
    """Return which of our processes are connected to Postgres, and how often."""
    return _rows(engine, _PROCESSES)


def _rows(engine: Engine, query: Any, **bound: Any) -> Sequence[Any]:
    with engine.connect() as connection:
        return connection.execute(query, bound).all()
