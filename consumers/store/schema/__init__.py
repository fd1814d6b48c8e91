"""The tables, as SQLAlchemy Core knows them; a test holds them equal to the migrations."""

from consumers.store.schema.columns import metadata
from consumers.store.schema.decided import (
    allowlist,
    api_keys,
    audit_log,
    bouncers,
    decision_heads,
    decisions,
    deliveries,
    feedback,
    proposals,
    roles,
    suppressions,
    trips,
)
from consumers.store.schema.judged import episodes, evidence, snapshots, standings, verdicts
from consumers.store.schema.marked import marks
from consumers.store.schema.operated import (
    gaps,
    gateways,
    in_force,
    layouts,
    offsets,
    policies,
    policies_in_force,
    policy_changes,
    populations,
    unreadable,
)

__all__ = [
    "allowlist",
    "api_keys",
    "audit_log",
    "bouncers",
    "decision_heads",
    "decisions",
    "deliveries",
    "episodes",
    "evidence",
    "feedback",
    "gaps",
    "gateways",
    "in_force",
    "layouts",
    "marks",
    "metadata",
    "offsets",
    "policies",
    "policies_in_force",
    "policy_changes",
    "populations",
    "proposals",
    "roles",
    "snapshots",
    "standings",
    "suppressions",
    "trips",
    "unreadable",
    "verdicts",
]
