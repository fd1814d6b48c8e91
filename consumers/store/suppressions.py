"""What a label suppresses: the kinds of evidence that it explained, for a time.

The detector knows nothing of it. Its verdicts stand as they are; one that rests on suppressed kinds alone is answered in
shadow and alerts nobody. Like the allowlist it is looked at where a decision is written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, select, text, tuple_

from consumers.store.schema import suppressions
from detector.decision import Action
from detector.standing import Cause
from detector.verdict import Verdict

DAYS = 30  # how long an explanation holds: what somebody does for longer is a case for the allowlist
BUDGET = "budget"  # the kind of a verdict that the budget of leakage caused

Kinds = dict[tuple[str, str], set[str]]

# What spoke in the latest episode with each model: a label is about what the person saw.
_SUPPRESS = text("""
    INSERT INTO suppressions (client, model, kind, until, feedback)
    SELECT DISTINCT latest.client, latest.model, spoke.kind, now() + make_interval(days => :days), :feedback
    FROM (
        SELECT DISTINCT ON (client, model) client, model, number, opened, closed FROM episodes
        WHERE client = :client AND :model IN (model, '*')
        ORDER BY client, model, number DESC
    ) AS latest
    JOIN verdicts AS verdict
      ON verdict.client = latest.client AND verdict.model = latest.model AND verdict.episode = latest.number
    CROSS JOIN LATERAL (
        SELECT kind FROM evidence WHERE evidence.verdict = verdict.id AND evidence.at = verdict.at
        UNION SELECT 'budget' WHERE verdict.cause = 'budget'
    ) AS spoke
    ON CONFLICT (client, model, kind) DO UPDATE SET until = excluded.until, feedback = excluded.feedback
    RETURNING kind
""")


def suppress(connection: Connection, client: str, model: str, feedback: int) -> list[str]:
    """Suppress what spoke against a client in its latest episode with `model` ("*": with each). Returns the kinds."""
    bound = {"client": client, "model": model, "feedback": feedback, "days": DAYS}
    return sorted(set(connection.execute(_SUPPRESS, bound).scalars()))


def end(connection: Connection, client: str, model: str) -> None:
    """Let everything speak again that was suppressed of a client with `model` ("*": with each)."""
    row = suppressions.c
    chosen = row.client == client if model == "*" else (row.client == client) & (row.model == model)
    connection.execute(delete(suppressions).where(chosen))


def in_force(connection: Connection, verdicts: Iterable[Verdict], now: datetime) -> Kinds:
    """Return the suppressed kinds by client and model. Call it after the heads are locked, as labels do."""
    wanted = sorted({(verdict.client, verdict.model) for verdict in verdicts if verdict.action is not Action.ALLOW})
    if not wanted:
        return {}
    row = suppressions.c
    found = connection.execute(
        select(row.client, row.model, row.kind).where(tuple_(row.client, row.model).in_(wanted), row.until > now)
    )
    kinds: Kinds = {}
    for line in found:
        kinds.setdefault((line.client, line.model), set()).add(line.kind)
    return kinds


def answered(verdicts: Sequence[Verdict], kinds: Kinds) -> list[tuple[Verdict, bool]]:
    """Return each verdict as it is to be answered, and whether it is explained: then it acts in shadow."""
    told = [(verdict, _explained(verdict, kinds.get((verdict.client, verdict.model), set()))) for verdict in verdicts]
    return [(replace(verdict, shadow=True) if explained else verdict, explained) for verdict, explained in told]


def _explained(verdict: Verdict, kinds: set[str]) -> bool:
    if verdict.action is Action.ALLOW:
        return False
    spoke = {BUDGET} if verdict.cause is Cause.BUDGET else {reading.kind for reading in verdict.evidence}
    return bool(spoke) and spoke <= kinds
