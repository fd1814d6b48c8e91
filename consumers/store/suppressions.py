"""What a label suppresses: the signals that it explained, for a time.

The detector knows nothing of it. Its verdicts stand as they are; one that rests on suppressed signals alone is answered
in shadow and alerts nobody. Like the allowlist it is looked at where a decision is written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, text

from consumers.store import alerts
from consumers.store.among import among, named
from consumers.store.schema import suppressions
from detector.decision import Action
from detector.verdict import Verdict

DAYS = 30  # how long an explanation holds: what somebody does for longer is a case for the allowlist

Explained = dict[tuple[str, str], set[str]]  # signals by client and model

# What spoke in the latest episode with each model: a label is about what the person saw.
_SUPPRESS = text("""
    INSERT INTO suppressions (client, model, signal, until, feedback)
    SELECT client, model, spoke, now() + make_interval(days => :days), :feedback
    FROM (
        SELECT DISTINCT ON (client, model) client, model, signals FROM episodes
        WHERE client = :client AND :model IN (model, '*')
        ORDER BY client, model, number DESC
    ) AS latest
    CROSS JOIN LATERAL jsonb_array_elements_text(signals) AS spoke
    ON CONFLICT (client, model, signal) DO UPDATE SET until = excluded.until, feedback = excluded.feedback
    RETURNING signal
""")

_ROW = suppressions.c
_IN_FORCE = select(_ROW.client, _ROW.model, _ROW.signal).where(
    among(_ROW.client, _ROW.model), _ROW.until > bindparam("now")
)


def suppress(connection: Connection, client: str, model: str, feedback: int) -> list[str]:
    """Suppress what spoke against a client in its latest episode with `model` ("*": with each). Returns the signals."""
    bound = {"client": client, "model": model, "feedback": feedback, "days": DAYS}
    return sorted(set(connection.execute(_SUPPRESS, bound).scalars()))


def end(connection: Connection, client: str, model: str) -> None:
    """Let everything speak again that was suppressed of a client with `model` ("*": with each)."""
    row = suppressions.c
    chosen = row.client == client if model == "*" else (row.client == client) & (row.model == model)
    connection.execute(delete(suppressions).where(chosen))


def in_force(connection: Connection, verdicts: Iterable[Verdict], now: datetime) -> Explained:
    """Return the suppressed signals by client and model. Call it after the heads are locked, as labels do."""
    wanted = sorted({(verdict.client, verdict.model) for verdict in verdicts if verdict.action is not Action.ALLOW})
    if not wanted:
        return {}
    found = connection.execute(_IN_FORCE, {**named(wanted), "now": now})
    told: Explained = {}
    for line in found:
        told.setdefault((line.client, line.model), set()).add(line.signal)
    return told


def answered(verdicts: Sequence[Verdict], explained: Explained) -> list[tuple[Verdict, bool]]:
    """Return each verdict as it is to be answered, and whether it is explained: then it acts in shadow."""
    told = [
        (verdict, _rests_on(verdict, explained.get((verdict.client, verdict.model), set()))) for verdict in verdicts
    ]
    return [(replace(verdict, shadow=True) if quiet else verdict, quiet) for verdict, quiet in told]


def _rests_on(verdict: Verdict, signals: set[str]) -> bool:
    if verdict.action is Action.ALLOW:
        return False
    spoke = alerts.spoke(verdict)
    return bool(spoke) and spoke <= signals
